//! Numbers at an offset that is known to be inside.

macro_rules! number {
    ($name:ident, $number:ty, $from:ident) => {
        /// The number at an offset.
        pub(crate) fn $name(bytes: &[u8], offset: usize) -> $number {
            let mut array = [0; size_of::<$number>()];
            array.copy_from_slice(&bytes[offset..offset + size_of::<$number>()]);
            <$number>::$from(array)
        }
    };
}

number!(be_u32, u32, from_be_bytes);
number!(be_u64, u64, from_be_bytes);
number!(be_i64, i64, from_be_bytes);
number!(le_u16, u16, from_le_bytes);
number!(le_u32, u32, from_le_bytes);
number!(le_u64, u64, from_le_bytes);
