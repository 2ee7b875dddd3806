//! The first byte of every value: what kind of value it is.
//!
//! If it has a length or position, both form one word, so that they are one store: the tag in the
//! lowest byte, the number in the other seven.

macro_rules! tags {
    ($($name:ident)*) => { tags!(@ 1_u8; $($name)*); };
    (@ $next:expr; $name:ident $($rest:ident)*) => {
        pub(super) const $name: u8 = $next;
        tags!(@ $name + 1; $($rest)*);
    };
    (@ $next:expr;) => {};
}

// Zero is not a tag, so unwritten memory is not a value.
tags! {
    UNIT NONE SOME FALSE TRUE CHAR
    I8 I16 I32 I64 I128 U8 U16 U32 U64 U128 F32 F64
    // With a length in bytes.
    STRING BYTES
    // With a count: runs of one kind of number, as they lie in memory.
    I8S I16S I32S I64S I128S U8S U16S U32S U64S U128S F32S F64S
    // With a count of values, or of pairs.
    SEQUENCE MAP
    // With the position of its fields' names.
    STRUCT
    // Followed by a name and then its value.
    UNIT_VARIANT VARIANT
    // Of no value, and of one more each.
    TUPLE
}

/// Tuples with fewer values than this say so in their tag; others are sequences.
pub(super) const SHORT_TUPLE: usize = 32;
const _: () = assert!(TUPLE as usize + SHORT_TUPLE <= u8::MAX as usize);

/// A tag and the number that belongs to it.
#[inline]
pub(super) const fn word(tag: u8, number: usize) -> [u8; 8] {
    ((number as u64) << 8 | tag as u64).to_ne_bytes()
}

/// The tag of a word, and its number.
#[inline]
pub(super) const fn split(word: u64) -> (u8, u64) {
    (word as u8, word >> 8)
}

/// The size of the numbers of a run with this tag.
#[inline]
pub(super) const fn number_size(tag: u8) -> usize {
    match tag {
        I8S | U8S => 1,
        I16S | U16S => 2,
        I32S | U32S | F32S => 4,
        I128S | U128S => 16,
        _ => 8,
    }
}

/// The padding before a run with this tag, at that position of a message.
#[inline]
pub(super) const fn padding(tag: u8, position: usize) -> usize {
    // At least the alignment of such a number on every machine.
    position.next_multiple_of(number_size(tag)) - position
}
