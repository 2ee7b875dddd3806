//! Runs of numbers, in one piece.
//!
//! serde passes every value it serializes through a generic method (`serialize_field<T>`,
//! `serialize_element<T>`, …), so the format sees the type `T` of every argument, field and
//! element. If that is exactly a vector or slice of a primitive number, its bytes are the encoding.
//! This module recognizes those types by `TypeId`, which optimizers fold to constants.
//!
//! A run begins at a multiple of its numbers' size, counted from the start of the message, so
//! that it can be read in place.

#![allow(unsafe_code, reason = "plain numbers as bytes")]

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

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
    let Some((write, tag)) = writer(typeid::of::<T>()) else { return false };
    // SAFETY: `T` is the type that `write` is for.
    unsafe { write((&raw const *value).cast(), tag, base, output) };
    true
}

/// Writes the run that a value is.
type Write = unsafe fn(*const (), u8, usize, &mut Output);

/// How a value of that type is written, and the tag of its run.
// Where it is optimized, its answer is a constant. Where it is not, as one function it spares the
// compiler a copy of all this for each type.
#[cfg_attr(not(debug_assertions), inline(always))]
fn writer(id: TypeId) -> Option<(Write, u8)> {
    macro_rules! each {
        ($($number:ident = $tag:ident),*) => { $(
            if id == TypeId::of::<Vec<$number>>() {
                return Some((write_vector::<$number>, tag::$tag));
            }
            if id == TypeId::of::<Box<[$number]>>() || id == TypeId::of::<&'static [$number]>() {
                return Some((write_slice::<$number>, tag::$tag));
            }
        )* };
    }
    numbers!(each);
    None
}

unsafe fn write_vector<N: Copy>(value: *const (), tag: u8, base: usize, output: &mut Output) {
    // SAFETY: it is a `Vec<N>`, which is borrowed for this call.
    slice(unsafe { &*value.cast::<Vec<N>>() }, tag, base, output);
}

unsafe fn write_slice<N: Copy>(value: *const (), tag: u8, base: usize, output: &mut Output) {
    // SAFETY: it is a `Box<[N]>` or some `&[N]`; both have the layout of the latter, and it is
    // borrowed for this call.
    slice(unsafe { *value.cast::<&[N]>() }, tag, base, output);
}

fn slice<N: Copy>(numbers: &[N], tag: u8, base: usize, output: &mut Output) {
    output.write(&tag::word(tag, numbers.len()));
    // The word is missing if it could not be written; the message is dropped then.
    let position = output.len().saturating_sub(base);
    output.write(&[0; 16][..tag::padding(tag, position)]);
    // SAFETY: primitive numbers have no padding; the bytes are those of the slice.
    output.write(unsafe {
        std::slice::from_raw_parts(numbers.as_ptr().cast::<u8>(), size_of_val(numbers))
    });
}

/// Reads the value that the seed `S` asks for in one piece, if `S` is the plain seed of a vector
/// of numbers and that is what comes; `None` if it is anything else.
#[inline]
pub(crate) fn decode<S, V>(decoder: &mut Decoder<'_>) -> Option<Result<V, WireError>> {
    // Of these sizes are all that are recognized.
    let is_long = size_of::<V>() == size_of::<Vec<u8>>() || size_of::<V>() == size_of::<LentStr>();
    if !is_long && size_of::<V>() != size_of::<Box<[u8]>>() {
        return None;
    }
    let Known { read, tag, of } = known(typeid::of::<S>())?;
    // The plain seed of a type yields that type.
    assert_eq!(of, typeid::of::<V>());
    let mut value = MaybeUninit::<V>::uninit();
    // SAFETY: it has room for a value of the type that `read` is for.
    let result = unsafe { read(decoder, tag, value.as_mut_ptr().cast()) }?;
    // SAFETY: `read` has written it if it says `Ok`.
    Some(result.map(|()| unsafe { value.assume_init() }))
}

const _: () = assert!(size_of::<LentSlice<u8>>() == size_of::<Vec<u8>>());

/// How a value of the type `of` is read, and the tag of its run.
struct Known {
    read: Read,
    tag: u8,
    of: TypeId,
}

/// Reads a value with that tag into a place that is free; `None` if something else comes.
type Read = unsafe fn(&mut Decoder<'_>, u8, *mut ()) -> Option<Result<(), WireError>>;

/// What is known of that plain seed. It is one function for the reason that `writer` is.
#[cfg_attr(not(debug_assertions), inline(always))]
fn known(seed: TypeId) -> Option<Known> {
    macro_rules! type_with {
        ($of:ty, $read:expr, $tag:ident) => {
            if seed == TypeId::of::<PhantomData<$of>>() {
                return Some(Known { read: $read, tag: tag::$tag, of: TypeId::of::<$of>() });
            }
        };
    }
    macro_rules! each {
        ($($number:ident = $tag:ident),*) => { $(
            type_with!(Vec<$number>, read_vector::<$number>, $tag);
            type_with!(Box<[$number]>, read_boxed::<$number>, $tag);
            type_with!(LentSlice<$number>, read_lent::<$number>, $tag);
        )* };
    }
    numbers!(each);
    type_with!(LentStr, read_lent_string, STRING);
    None
}

unsafe fn read_vector<N: Copy>(
    decoder: &mut Decoder<'_>,
    tag: u8,
    place: *mut (),
) -> Option<Result<(), WireError>> {
    // SAFETY: the place is free, and for this type.
    Some(decoder.run(tag)?.map(|run| unsafe { place.cast::<Vec<N>>().write(run) }))
}

unsafe fn read_boxed<N: Copy>(
    decoder: &mut Decoder<'_>,
    tag: u8,
    place: *mut (),
) -> Option<Result<(), WireError>> {
    let boxed = decoder.run(tag)?.map(Vec::into_boxed_slice);
    // SAFETY: the place is free, and for this type.
    Some(boxed.map(|run| unsafe { place.cast::<Box<[N]>>().write(run) }))
}

unsafe fn read_lent<N: Copy>(
    decoder: &mut Decoder<'_>,
    tag: u8,
    place: *mut (),
) -> Option<Result<(), WireError>> {
    // SAFETY: the place is free, and for this type.
    Some(decoder.lent_run(tag)?.map(|run| unsafe { place.cast::<LentSlice<N>>().write(run) }))
}

unsafe fn read_lent_string(
    decoder: &mut Decoder<'_>,
    _: u8,
    place: *mut (),
) -> Option<Result<(), WireError>> {
    // SAFETY: the place is free, and for this type.
    Some(decoder.lent_string()?.map(|text| unsafe { place.cast::<LentStr>().write(text) }))
}
