//! Parcels: values as bytes, for the way from process to process and for the disk.
//!
//! [`Travel`] is what a type implements; slices of plain numbers are copied as they lie in memory
//! (little-endian), never number by number. Two kinds of value are not copied at all. A loan
//! packs as the name of its block, which travels by itself. An [`Arc`] that a process sends to
//! another one more than once goes there once: see [`shared`](super::shared).
//!
//! Whatever bytes arrive, unpacking ends in a value or in [`Malformed`]; it allocates at most a
//! small multiple of what it was given.

use std::sync::Arc;

use bytemuck::Pod;
use bytes::Bytes;
use strads_common::lags::Lags;

use super::cabinet::{BlockId, Cabinet, Cabinets};
use super::shared::{Received, Sent};

const _: () = assert!(
    cfg!(target_endian = "little"),
    "parcels are copied as they lie in memory, and are little-endian"
);

/// A value that can be sent to another process, or kept on disk.
pub trait Travel: Sized {
    /// Writes the value.
    fn pack(&self, out: &mut Packer<'_>);

    /// Reads what [`pack`](Self::pack) wrote.
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed>;

    /// Writes many, each of which takes at least a byte; plain numbers are copied at once.
    fn pack_all(values: &[Self], out: &mut Packer<'_>) {
        out.length(values.len());
        values.iter().for_each(|value| value.pack(out));
    }

    /// Reads what [`pack_all`](Self::pack_all) wrote.
    fn unpack_all(from: &mut Unpacker<'_>) -> Result<Vec<Self>, Malformed> {
        let length = from.length(1)?;
        let mut values = Vec::with_capacity(length);
        for _ in 0..length {
            values.push(Self::unpack(from)?);
        }
        Ok(values)
    }
}

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what arrived is not {0}")]
pub struct Malformed(pub &'static str);

/// A packed value, with the names of what it needs beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// The value.
    pub bytes: Bytes,
    /// The blocks that it has on loan.
    pub loans: Vec<BlockId>,
    /// The shared values that it refers to.
    pub shared: Vec<u64>,
}

/// Where values are written to.
pub struct Packer<'a> {
    bytes: Vec<u8>,
    loans: Vec<Lent>,
    shared: Vec<u64>,
    sharing: Sharing<'a>,
    /// Only the loans matter: nothing is written.
    looking: bool,
}

/// A block that was found on loan while packing.
pub(super) struct Lent {
    pub block: BlockId,
    pub cabinet: Arc<dyn Cabinet>,
}

/// What becomes of an [`Arc`].
pub(super) enum Sharing<'a> {
    /// It is copied.
    Copied,
    /// It goes out once.
    Sent(&'a mut Sent),
    /// If it came from there, its name goes back.
    Returned(&'a Received),
}

/// Where values are read from.
pub struct Unpacker<'a> {
    rest: &'a [u8],
    /// Where loans point to.
    pub(super) cabinets: Option<&'a Cabinets>,
    /// What was sent to the process that packed this.
    pub(super) sent: Option<&'a Sent>,
    /// What that process sent before.
    pub(super) received: Option<&'a Received>,
}

/// The bytes of `value`, copied whole: for the disk.
///
/// # Panics
/// If there is a loan in it: a loan means nothing without the processes of its run.
pub fn pack<T: Travel>(value: &T) -> Bytes {
    let mut packer = Packer::new(Sharing::Copied);
    value.pack(&mut packer);
    assert!(packer.loans.is_empty(), "a loan cannot be kept");
    packer.bytes.into()
}

/// The value that [`pack`] made `bytes` of.
pub fn unpack<T: Travel>(bytes: &[u8]) -> Result<T, Malformed> {
    let mut unpacker = Unpacker::new(bytes);
    let value = T::unpack(&mut unpacker)?;
    unpacker.end()?;
    Ok(value)
}

impl<'a> Packer<'a> {
    pub(super) fn new(sharing: Sharing<'a>) -> Self {
        Self {
            bytes: Vec::new(),
            loans: Vec::new(),
            shared: Vec::new(),
            sharing,
            looking: false,
        }
    }

    /// The loans in `value`.
    pub(super) fn loans_of(value: &impl Travel) -> Vec<Lent> {
        let mut packer = Self::new(Sharing::Copied);
        packer.looking = true;
        value.pack(&mut packer);
        packer.loans
    }

    pub(super) fn finish(self) -> (Parcel, Vec<Lent>) {
        let parcel = Parcel {
            bytes: self.bytes.into(),
            loans: self.loans.iter().map(|lent| lent.block).collect(),
            shared: self.shared,
        };
        (parcel, self.loans)
    }

    /// Writes plain numbers as they lie in memory, without their length.
    pub fn plain<T: Pod>(&mut self, values: &[T]) {
        if !self.looking {
            self.bytes.extend_from_slice(bytemuck::cast_slice(values));
        }
    }

    /// Writes how many values follow.
    pub fn length(&mut self, length: usize) {
        self.plain(&[length as u64]);
    }

    pub(crate) fn loan(&mut self, block: BlockId, cabinet: Arc<dyn Cabinet>) {
        self.loans.push(Lent { block, cabinet });
    }

    fn arc<T: ?Sized + Send + Sync + 'static>(
        &mut self,
        value: &Arc<T>,
        pack: impl Fn(&T, &mut Packer<'_>),
    ) {
        if self.looking {
            return pack(value, self);
        }
        match &mut self.sharing {
            Sharing::Copied => {}
            Sharing::Sent(sent) => {
                let name = sent.name(value, |packer| pack(value, packer));
                self.shared.push(name);
                return self.plain(&[THEIRS, name]);
            }
            Sharing::Returned(received) => {
                if let Some(name) = received.name(value) {
                    return self.plain(&[YOURS, name]);
                }
            }
        }
        self.plain(&[HERE]);
        pack(value, self);
    }
}

/// How an [`Arc`] was packed: whole,
const HERE: u64 = 0;
/// by the name under which the packer sent it,
const THEIRS: u64 = 1;
/// or by the name under which the reader once did.
const YOURS: u64 = 2;

impl<'a> Unpacker<'a> {
    /// Reads `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            cabinets: None,
            sent: None,
            received: None,
        }
    }

    pub(crate) fn cabinets(&self) -> Option<&'a Cabinets> {
        self.cabinets
    }

    /// True if everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Refuses what is left over.
    pub fn end(&self) -> Result<(), Malformed> {
        match self.rest.len() {
            0 => Ok(()),
            _ => Err(Malformed("as long as its contents")),
        }
    }

    /// Reads `count` plain numbers.
    pub fn plain<T: Pod>(&mut self, count: usize) -> Result<Vec<T>, Malformed> {
        let bytes = self.take(count, size_of::<T>())?;
        let mut values = vec![T::zeroed(); count];
        bytemuck::cast_slice_mut(&mut values).copy_from_slice(bytes);
        Ok(values)
    }

    /// Reads one plain number.
    pub fn number<T: Pod>(&mut self) -> Result<T, Malformed> {
        Ok(bytemuck::pod_read_unaligned(self.take(1, size_of::<T>())?))
    }

    /// Reads how many values follow, each of at least `bytes` bytes.
    pub fn length(&mut self, bytes: usize) -> Result<usize, Malformed> {
        let length = usize::try_from(self.number::<u64>()?).map_err(|_| Malformed("a length"))?;
        match length.checked_mul(bytes) {
            Some(needed) if needed <= self.rest.len() => Ok(length),
            _ => Err(Malformed("as long as it says")),
        }
    }

    fn take(&mut self, count: usize, bytes: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = count
            .checked_mul(bytes)
            .and_then(|length| self.rest.split_at_checked(length))
            .ok_or(Malformed("complete"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn arc<T: ?Sized + Send + Sync + 'static>(
        &mut self,
        unpack: impl Fn(&mut Unpacker<'_>) -> Result<Arc<T>, Malformed>,
    ) -> Result<Arc<T>, Malformed> {
        let unknown = Malformed("a shared value that is known here");
        match self.number::<u64>()? {
            HERE => unpack(self),
            THEIRS => {
                let name = self.number()?;
                self.received.ok_or(unknown)?.open(name, unpack)
            }
            YOURS => {
                let name = self.number()?;
                self.sent.ok_or(unknown)?.find(name).ok_or(unknown)
            }
            _ => Err(Malformed("a shared value")),
        }
    }
}

impl<T: Travel + Send + Sync + 'static> Travel for Arc<T> {
    fn pack(&self, out: &mut Packer<'_>) {
        out.arc(self, T::pack);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        from.arc(|from| T::unpack(from).map(Arc::new))
    }
}

impl<T: Travel + Send + Sync + 'static> Travel for Arc<[T]> {
    fn pack(&self, out: &mut Packer<'_>) {
        out.arc(self, |values, out| T::pack_all(values, out));
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        from.arc(|from| T::unpack_all(from).map(Arc::from))
    }
}

impl<T: Travel> Travel for Vec<T> {
    fn pack(&self, out: &mut Packer<'_>) {
        T::pack_all(self, out);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        T::unpack_all(from)
    }
}

impl<T: Travel, const N: usize> Travel for [T; N] {
    fn pack(&self, out: &mut Packer<'_>) {
        self.iter().for_each(|value| value.pack(out));
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        let values: Vec<T> = (0..N).map(|_| T::unpack(from)).collect::<Result<_, _>>()?;
        values.try_into().map_err(|_| Malformed("an array"))
    }
}

impl<T: Travel> Travel for Option<T> {
    fn pack(&self, out: &mut Packer<'_>) {
        self.is_some().pack(out);
        if let Some(value) = self {
            value.pack(out);
        }
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        bool::unpack(from)?.then(|| T::unpack(from)).transpose()
    }
}

impl Travel for bool {
    fn pack(&self, out: &mut Packer<'_>) {
        out.plain(&[u8::from(*self)]);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        match from.number::<u8>()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("yes or no")),
        }
    }
}

impl Travel for Lags {
    fn pack(&self, out: &mut Packer<'_>) {
        u64::pack_all(self.counts(), out);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        Ok(u64::unpack_all(from)?.into_iter().collect())
    }
}

impl Travel for String {
    fn pack(&self, out: &mut Packer<'_>) {
        u8::pack_all(self.as_bytes(), out);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        String::from_utf8(u8::unpack_all(from)?).map_err(|_| Malformed("text"))
    }
}

/// Makes plain types (`bytemuck::Pod`) travel as they lie in memory.
#[macro_export]
macro_rules! travel_as_bytes {
    ($($name:ty),+ $(,)?) => {$(
        impl $crate::cluster::Travel for $name {
            fn pack(&self, out: &mut $crate::cluster::Packer<'_>) {
                out.plain(std::slice::from_ref(self));
            }
            fn unpack(
                from: &mut $crate::cluster::Unpacker<'_>,
            ) -> Result<Self, $crate::cluster::Malformed> {
                from.number()
            }
            fn pack_all(values: &[Self], out: &mut $crate::cluster::Packer<'_>) {
                out.length(values.len());
                out.plain(values);
            }
            fn unpack_all(
                from: &mut $crate::cluster::Unpacker<'_>,
            ) -> Result<Vec<Self>, $crate::cluster::Malformed> {
                let length = from.length(size_of::<Self>())?;
                from.plain(length)
            }
        }
    )+};
}

/// Makes structs travel field by field: `travel_by_fields!(Point { x, y });`
#[macro_export]
macro_rules! travel_by_fields {
    ($($name:ident { $($field:ident),* $(,)? })+) => {$(
        impl $crate::cluster::Travel for $name {
            fn pack(&self, out: &mut $crate::cluster::Packer<'_>) {
                $($crate::cluster::Travel::pack(&self.$field, out);)*
            }
            fn unpack(
                from: &mut $crate::cluster::Unpacker<'_>,
            ) -> Result<Self, $crate::cluster::Malformed> {
                Ok(Self { $($field: $crate::cluster::Travel::unpack(from)?,)* })
            }
        }
    )+};
}

/// Makes enums travel by a number for each variant:
/// `travel_by_variants!(Shape { 0 => Dot, 1 => Circle(radius), 2 => Line { from, to } });`
#[macro_export]
macro_rules! travel_by_variants {
    ($name:ident { $($tag:literal => $variant:ident $(($($item:ident),+))? $({ $($field:ident),+ $(,)? })?),+ $(,)? }) => {
        impl $crate::cluster::Travel for $name {
            fn pack(&self, out: &mut $crate::cluster::Packer<'_>) {
                match self {
                    $(Self::$variant $(($($item),+))? $({ $($field),+ })? => {
                        $crate::cluster::Travel::pack(&($tag as u8), out);
                        $($($crate::cluster::Travel::pack($item, out);)+)?
                        $($($crate::cluster::Travel::pack($field, out);)+)?
                    })+
                }
            }
            fn unpack(
                from: &mut $crate::cluster::Unpacker<'_>,
            ) -> Result<Self, $crate::cluster::Malformed> {
                Ok(match <u8 as $crate::cluster::Travel>::unpack(from)? {
                    $($tag => {
                        $($(let $item = $crate::cluster::Travel::unpack(from)?;)+)?
                        $($(let $field = $crate::cluster::Travel::unpack(from)?;)+)?
                        Self::$variant $(($($item),+))? $({ $($field),+ })?
                    })+
                    _ => return Err($crate::cluster::Malformed(concat!("a ", stringify!($name)))),
                })
            }
        }
    };
}

travel_as_bytes!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);

impl Travel for usize {
    fn pack(&self, out: &mut Packer<'_>) {
        out.length(*self);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        usize::try_from(from.number::<u64>()?).map_err(|_| Malformed("a number for this machine"))
    }
}

impl<T: Travel> Travel for std::ops::Range<T> {
    fn pack(&self, out: &mut Packer<'_>) {
        self.start.pack(out);
        self.end.pack(out);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        Ok(T::unpack(from)?..T::unpack(from)?)
    }
}

macro_rules! travel_as_tuple {
    ($($name:ident),*) => {
        impl<$($name: Travel),*> Travel for ($($name,)*) {
            #[allow(non_snake_case, unused_variables)]
            fn pack(&self, out: &mut Packer<'_>) {
                let ($($name,)*) = self;
                $($name.pack(out);)*
            }
            #[allow(unused_variables)]
            fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
                Ok(($($name::unpack(from)?,)*))
            }
        }
    };
}
travel_as_tuple!();
travel_as_tuple!(A);
travel_as_tuple!(A, B);
travel_as_tuple!(A, B, C);

#[cfg(test)]
mod tests {
    //! What is packed is unpacked; noise is refused, and nothing much is allocated for it.
    use super::*;
    use proptest::prelude::*;

    type Mixed = (Vec<(u32, f64)>, Option<String>, [Vec<u16>; 2]);

    proptest! {
        #[test]
        fn values_round_trip(
            pairs: Vec<(u32, f64)>, text: Option<String>, one: Vec<u16>, other: Vec<u16>, cut: prop::sample::Index,
        ) {
            let value: Mixed = (pairs, text, [one, other]);
            let bytes = pack(&value);
            prop_assert_eq!(pack(&unpack::<Mixed>(&bytes).unwrap()), bytes.clone());
            prop_assert!(unpack::<Mixed>(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn noise_is_refused_or_read(noise: Vec<u8>) {
            let _ = unpack::<Mixed>(&noise);
            let _ = unpack::<Vec<Vec<u64>>>(&noise);
            let _ = unpack::<Arc<[f32]>>(&noise);
        }
    }

    #[test]
    fn a_length_reserves_no_more_than_what_is_there() {
        let mut bytes = (1u64 << 60).to_le_bytes().to_vec();
        bytes.extend([0; 16]);
        assert!(unpack::<Vec<u64>>(&bytes).is_err());
        assert!(unpack::<Vec<(u64, u64)>>(&bytes).is_err());
    }
}
