//! Runs of numbers, in one piece.
//!
//! serde passes every value it serializes through a generic method (`serialize_field<T>`,
//! `serialize_element<T>`, …), so the format sees the type `T` of every argument, field and
//! element. If that is exactly a vector or slice of a primitive number, its bytes are the encoding.
//! This module recognizes those types by `TypeId`, which folds to constants.
//!
//! A run begins at a multiple of its numbers' alignment, counted from the start of the message, so
//! that it can be read in place.

#![allow(unsafe_code, reason = "plain numbers as bytes")]

use std::any::TypeId;
use std::marker::PhantomData;

use super::decode::Decoder;
use super::{Output, WireError, tag};
use crate::process::value::lent::{LentSlice, LentStr};

/// Calls `$each!` with every primitive for which all bit patterns are valid, and the tag of a run.
macro_rules! numbers {
    ($each:ident) => {
        $each!(
            u8 = U8S,
            i8 = I8S,
            u16 = U16S,
            i16 = I16S,
            u32 = U32S,
            i32 = I32S,
            u64 = U64S,
            i64 = I64S
        );
        $each!(u128 = U128S, i128 = I128S, f32 = F32S, f64 = F64S);
        // serde passes these as 64-bit numbers.
        #[cfg(target_pointer_width = "64")]
        $each!(usize = U64S, isize = I64S);
    };
}

/// Writes `value` in one piece if it is a vector or slice of numbers; returns whether it did. The
/// message starts at `base`.
#[inline]
pub(crate) fn encode<T: ?Sized>(value: &T, base: usize, output: &mut Output) -> bool {
    // Everything recognized here is two or three words long, unlike most types.
    let words = size_of_val(value) / size_of::<usize>();
    if words != 2 && words != 3 {
        return false;
    }
    let id = typeid::of::<T>();
    let pointer: *const () = (&raw const *value).cast();
    macro_rules! each {
        ($($number:ident = $tag:ident),*) => { $(
            if id == TypeId::of::<Vec<$number>>() {
                // SAFETY: `T` is `Vec<$number>`, a type without lifetimes.
                slice(unsafe { &*pointer.cast::<Vec<$number>>() }, tag::$tag, base, output);
                return true;
            }
            if id == TypeId::of::<Box<[$number]>>() || id == TypeId::of::<&'static [$number]>() {
                // SAFETY: `T` is `Box<[$number]>` or some `&[$number]`; both have the layout of
                // the latter, and it is used only while `value` is borrowed.
                slice(unsafe { *pointer.cast::<&[$number]>() }, tag::$tag, base, output);
                return true;
            }
        )* };
    }
    numbers!(each);
    false
}

/// The padding before a run of numbers at that position of a message.
pub(super) const fn padding<N>(position: usize) -> usize {
    position.next_multiple_of(align_of::<N>()) - position
}

fn slice<N: Copy>(numbers: &[N], tag: u8, base: usize, output: &mut Output) {
    output.write(&tag::word(tag, numbers.len()));
    // The word is missing if it could not be written; the message is dropped then.
    let position = output.len().saturating_sub(base);
    output.write(&[0; 16][..padding::<N>(position)]);
    // SAFETY: primitive numbers have no padding; the bytes are those of the slice.
    output.write(unsafe {
        std::slice::from_raw_parts(numbers.as_ptr().cast::<u8>(), size_of_val(numbers))
    });
}

/// Reads the value that the seed `S` asks for in one piece, if `S` is the plain seed of a vector
/// of numbers and that is what comes; `None` if it is anything else.
#[inline]
pub(crate) fn decode<S, V>(decoder: &mut Decoder<'_>) -> Option<Result<V, WireError>> {
    let id = typeid::of::<S>();
    macro_rules! each {
        ($($number:ident = $tag:ident),*) => { $(
            if id == TypeId::of::<PhantomData<Vec<$number>>>() {
                // The plain seed of a type yields that type: `V` is `Vec<$number>`.
                return Some(decoder.run::<$number>(tag::$tag)?.map(same::<Vec<$number>, V>));
            }
            if id == TypeId::of::<PhantomData<Box<[$number]>>>() {
                let boxed = decoder.run::<$number>(tag::$tag)?.map(Vec::into_boxed_slice);
                return Some(boxed.map(same::<Box<[$number]>, V>));
            }
            if id == TypeId::of::<PhantomData<LentSlice<$number>>>() {
                let lent = decoder.lent_run::<$number>(tag::$tag)?;
                return Some(lent.map(same::<LentSlice<$number>, V>));
            }
        )* };
    }
    if size_of::<V>() == size_of::<Vec<u8>>() || size_of::<V>() == size_of::<Box<[u8]>>() {
        numbers!(each);
    }
    if id == TypeId::of::<PhantomData<LentStr>>() {
        return Some(decoder.lent_string()?.map(same::<LentStr, V>));
    }
    None
}

// Of that size are all that `decode` recognises.
const _: () = assert!(size_of::<LentSlice<u8>>() == size_of::<Vec<u8>>());

/// The identity, for two names of one type.
fn same<From, To>(value: From) -> To {
    assert_eq!(typeid::of::<From>(), typeid::of::<To>());
    let value = std::mem::ManuallyDrop::new(value);
    // SAFETY: both are the same type, and `value` is not used again.
    unsafe { std::mem::transmute_copy::<std::mem::ManuallyDrop<From>, To>(&value) }
}
