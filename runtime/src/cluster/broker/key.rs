//! Authentication: every message carries a keyed hash, and one that does not match is ignored.
//!
//! The hash covers the subject too, so a message copied to another subject does not match there.
//! BLAKE3 in keyed mode is a MAC; its hashes are compared in constant time.

const CONTEXT: &str = "trine cluster 2026 messages";
/// The minimum length of a secret in bytes.
const MIN_SECRET: usize = 32;
const HASH: usize = blake3::OUT_LEN;

/// The secret that all machines of a cluster share.
#[derive(Clone)]
pub(crate) struct Key([u8; blake3::KEY_LEN]);

impl Key {
    pub(crate) fn new(secret: &[u8]) -> Result<Self, String> {
        if secret.len() < MIN_SECRET {
            let length = secret.len();
            return Err(format!("needs a secret of at least {MIN_SECRET} bytes, but has {length}"));
        }
        Ok(Self(blake3::derive_key(CONTEXT, secret)))
    }

    pub(crate) fn hasher(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.0)
    }

    fn hash(&self, subject: &str, message: &[u8]) -> blake3::Hash {
        let mut hasher = self.hasher();
        hasher.update(&(subject.len() as u64).to_le_bytes());
        hasher.update(subject.as_bytes());
        hasher.update(message);
        hasher.finalize()
    }

    /// The message with its hash appended.
    pub(crate) fn seal(&self, subject: &str, mut message: Vec<u8>) -> Vec<u8> {
        let hash = self.hash(subject, &message);
        message.extend_from_slice(hash.as_bytes());
        message
    }

    /// The message, if it was sealed with the key for this subject.
    pub(crate) fn open<'a>(&self, subject: &str, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (message, hash) = sealed.split_last_chunk::<HASH>()?;
        (self.hash(subject, message) == blake3::Hash::from_bytes(*hash)).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_the_subject_and_the_message_that_were_sealed_open() {
        let key = Key::new(&[1; 32]).unwrap();
        let sealed = key.seal("a.b", b"message".to_vec());
        assert_eq!(key.open("a.b", &sealed), Some(&b"message"[..]));
        assert_eq!(key.open("a.c", &sealed), None);
        assert_eq!(Key::new(&[2; 32]).unwrap().open("a.b", &sealed), None);
        for index in 0..sealed.len() {
            let mut tampered = sealed.clone();
            tampered[index] ^= 1;
            assert_eq!(key.open("a.b", &tampered), None, "{index}");
        }
        assert_eq!(key.open("a.b", &sealed[..31]), None);
        assert!(Key::new(&[1; 31]).is_err_and(|why| why.contains("has 31")));
    }
}
