//! The element types of the safetensors format, and f32 values to their little-endian bytes and back.

use std::fmt;

use half::{bf16, f16};

macro_rules! dtypes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $bits:literal;)*) => {
        /// The element types that the safetensors format knows. Only [`Dtype::float`] ones are read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Dtype {
            $($(#[$doc])* $variant,)*
        }

        impl Dtype {
            /// Every dtype, narrowest alignment first, as the reference implementation lists them.
            #[cfg(any(test, feature = "internals"))]
            pub const ALL: &[Dtype] = &[$(Dtype::$variant),*];

            /// The dtype of this name, as a header spells it.
            pub fn from_name(name: &str) -> Option<Dtype> {
                match name {
                    $($name => Some(Dtype::$variant),)*
                    _ => None,
                }
            }

            /// The name that a header uses.
            pub fn name(self) -> &'static str {
                match self {
                    $(Dtype::$variant => $name,)*
                }
            }

            /// Size of one element in bits.
            pub fn bits(self) -> u64 {
                match self {
                    $(Dtype::$variant => $bits,)*
                }
            }
        }
    };
}

dtypes! {
    /// Boolean, one byte each.
    Bool = "BOOL", 8;
    /// 4-bit float (OCP microscaling), two to a byte.
    F4 = "F4", 4;
    /// 6-bit float, 2 exponent and 3 mantissa bits.
    F6E2M3 = "F6_E2M3", 6;
    /// 6-bit float, 3 exponent and 2 mantissa bits.
    F6E3M2 = "F6_E3M2", 6;
    /// Unsigned 8-bit integer.
    U8 = "U8", 8;
    /// Signed 8-bit integer.
    I8 = "I8", 8;
    /// 8-bit float, 5 exponent and 2 mantissa bits.
    F8E5M2 = "F8_E5M2", 8;
    /// 8-bit float, 4 exponent and 3 mantissa bits.
    F8E4M3 = "F8_E4M3", 8;
    /// 8-bit power of two, the scale of microscaling blocks.
    F8E8M0 = "F8_E8M0", 8;
    /// 8-bit float, E4M3 without infinity and negative zero.
    F8E4M3Fnuz = "F8_E4M3FNUZ", 8;
    /// 8-bit float, E5M2 without infinity and negative zero.
    F8E5M2Fnuz = "F8_E5M2FNUZ", 8;
    /// Signed 16-bit integer.
    I16 = "I16", 16;
    /// Unsigned 16-bit integer.
    U16 = "U16", 16;
    /// IEEE half precision.
    F16 = "F16", 16;
    /// bfloat16, the upper half of an f32.
    BF16 = "BF16", 16;
    /// Signed 32-bit integer.
    I32 = "I32", 32;
    /// Unsigned 32-bit integer.
    U32 = "U32", 32;
    /// IEEE single precision.
    F32 = "F32", 32;
    /// Complex number of two f32.
    C64 = "C64", 64;
    /// IEEE double precision.
    F64 = "F64", 64;
    /// Signed 64-bit integer.
    I64 = "I64", 64;
    /// Unsigned 64-bit integer.
    U64 = "U64", 64;
}

impl Dtype {
    /// The same type as a float that is read, or `None` for all others.
    pub fn float(self) -> Option<Float> {
        match self {
            Dtype::F32 => Some(Float::F32),
            Dtype::F16 => Some(Float::F16),
            Dtype::BF16 => Some(Float::BF16),
            Dtype::F64 => Some(Float::F64),
            _ => None,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The dtypes whose values are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Float {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    BF16,
    /// IEEE double precision, narrowed as it is read.
    F64,
}

impl Float {
    /// The same type among all of the format's.
    pub fn dtype(self) -> Dtype {
        match self {
            Float::F32 => Dtype::F32,
            Float::F16 => Dtype::F16,
            Float::BF16 => Dtype::BF16,
            Float::F64 => Dtype::F64,
        }
    }

    /// The number nearest to `value` that the type has, ties to even; infinite if `value` is out of its range.
    pub fn round(self, value: f32) -> f32 {
        match self {
            Float::F32 | Float::F64 => value,
            Float::F16 => f16::from_f32(value).to_f32(),
            Float::BF16 => bf16::from_f32(value).to_f32(),
        }
    }

    /// Appends `values` to little-endian `bytes`, each rounded as [`Float::round`] does.
    pub fn narrow(self, values: &[f32], bytes: &mut Vec<u8>) {
        match self {
            Float::F32 => bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Float::F64 => bytes.extend(values.iter().flat_map(|&v| f64::from(v).to_le_bytes())),
            Float::F16 => bytes.extend(values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes())),
            Float::BF16 => {
                bytes.extend(values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()));
            }
        }
    }

    /// Appends the values of little-endian `bytes` to `values`. Every half and bfloat16 has an exact f32, NaN and
    /// infinity included; a double becomes the nearest one. `bytes` is a whole number of elements; a rest shorter than one is not read.
    pub fn widen(self, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Float::F32 => {
                let (elements, _) = bytes.as_chunks::<4>();
                values.extend(elements.iter().map(|&e| f32::from_le_bytes(e)));
            }
            Float::F64 => {
                let (elements, _) = bytes.as_chunks::<8>();
                values.extend(elements.iter().map(|&e| f64::from_le_bytes(e) as f32));
            }
            Float::F16 => {
                let (elements, _) = bytes.as_chunks::<2>();
                values.extend(elements.iter().map(|&e| f16::from_le_bytes(e).to_f32()));
            }
            Float::BF16 => {
                let (elements, _) = bytes.as_chunks::<2>();
                values.extend(elements.iter().map(|&e| bf16::from_le_bytes(e).to_f32()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widened(float: Float, bytes: &[u8]) -> Vec<f32> {
        let mut values = Vec::new();
        float.widen(bytes, &mut values);
        values
    }

    #[test]
    fn names_lead_back_to_their_dtype() {
        for &dtype in Dtype::ALL {
            assert_eq!(Dtype::from_name(dtype.name()), Some(dtype));
            assert_eq!(dtype.to_string(), dtype.name());
        }
        assert_eq!(Dtype::ALL.len(), 22);
        assert_eq!(Dtype::from_name("f32"), None);
        assert_eq!(Dtype::from_name("F31"), None);
    }

    #[test]
    fn only_floats_of_two_bytes_and_more_are_read() {
        let read: Vec<_> = Dtype::ALL.iter().filter(|d| d.float().is_some()).collect();
        assert_eq!(read, [&Dtype::F16, &Dtype::BF16, &Dtype::F32, &Dtype::F64]);
    }

    #[test]
    fn widens_known_bit_patterns() {
        // Bit patterns from IEEE 754: 1.0, -2.0, the smallest subnormal half, the largest half, infinity.
        assert_eq!(
            widened(
                Float::F16,
                &[0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x7b, 0x00, 0x7c]
            ),
            [1.0, -2.0, 2f32.powi(-24), 65504.0, f32::INFINITY]
        );
        assert_eq!(
            widened(Float::BF16, &[0x80, 0x3f, 0x00, 0xc0, 0x49, 0x40]),
            [1.0, -2.0, 3.140625]
        );
        assert_eq!(
            widened(
                Float::F32,
                &[0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xc0]
            ),
            [1.0, -2.0]
        );
        assert!(widened(Float::F16, &[0x01, 0x7e])[0].is_nan());
        assert!(widened(Float::BF16, &[0xc0, 0x7f])[0].is_nan());
    }

    #[test]
    fn narrows_to_the_nearest_number_ties_to_even() {
        // 1 + 2^-11 lies halfway between two halves, 1 + 3 * 2^-11 too; 1 + 2^-8 and 1 + 3 * 2^-8 between two bfloat16.
        for (float, tie, even, above) in [
            (Float::F16, 2f32.powi(-11), 1.0, 1.0 + 2f32.powi(-9)),
            (Float::BF16, 2f32.powi(-8), 1.0, 1.0 + 2f32.powi(-6)),
        ] {
            assert_eq!(float.round(1.0 + tie), even);
            assert_eq!(float.round(1.0 + 3.0 * tie), above);
            let mut bytes = Vec::new();
            float.narrow(&[1.0 + tie, -1.0 - 3.0 * tie], &mut bytes);
            assert_eq!(bytes.len(), 4);
            assert_eq!(widened(float, &bytes), [even, -above]);
        }
        assert_eq!(Float::F16.round(65519.0), 65504.0);
        assert_eq!(Float::F16.round(65520.0), f32::INFINITY);
        let mut bytes = Vec::new();
        Float::F32.narrow(&[1.0, -2.0], &mut bytes);
        assert_eq!(bytes, [0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xc0]);
        for &dtype in Dtype::ALL {
            assert!(dtype.float().is_none_or(|float| float.dtype() == dtype));
        }
    }

    #[test]
    fn every_half_survives() {
        for bits in 0..=u16::MAX {
            let value = widened(Float::F16, &bits.to_le_bytes())[0];
            assert_eq!(value.is_nan(), f16::from_bits(bits).is_nan());
            if !value.is_nan() {
                assert_eq!(f16::from_f32(value).to_bits(), bits);
            }
        }
    }
}
