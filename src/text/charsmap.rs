//! SentencePiece's table of replacements in a `Precompiled` normalizer: whether looking anything up stays inside it.
//!
//! Bytes: the size of a double array (u32, little-endian), the array (u32 each), and the replacements, each ended by a zero. A unit of the array has
//! its letter in the lowest byte (with bit 31), whether a word ends there in bit 8, and the way to its children in bits 9 to 31; the unit at the
//! children's place itself has the word's replacement. Source: <https://github.com/s-yata/darts-clone>.

use base64::decode;

/// Bytes of a letter or of the letters that are looked up together.
const LONGEST_KEY: usize = 5;

/// How many bytes one byte may become.
///
/// # Errors
/// The reason, for a table that a text leads out of.
pub fn growth(map: &str) -> Result<f64, String> {
    let bytes = decode(map).map_err(|error| error.to_string())?;
    let (size, rest) = bytes.split_first_chunk::<4>().ok_or("it is empty")?;
    let size = u32::from_le_bytes(*size) as usize / 4 * 4;
    let (units, texts) = rest.split_at_checked(size).ok_or("it is cut off")?;
    let units = units.as_chunks::<4>().0.iter();
    let units = units
        .map(|unit| u32::from_le_bytes(*unit))
        .collect::<Vec<_>>();
    let texts = std::str::from_utf8(texts).map_err(|error| error.to_string())?;
    let root = *units.first().ok_or("it has no units")?;
    let mut growth = 1.0_f64;
    let mut seen = vec![false; units.len()];
    let mut level = vec![children(root)];
    // by length, so that each place is come to by its shortest key first
    for length in 1..=LONGEST_KEY {
        let mut next = Vec::new();
        for place in level {
            if place | 0xff >= units.len() {
                return Err(format!("it leads to unit {place} of {}", units.len()));
            }
            if std::mem::replace(&mut seen[place], true) {
                continue;
            }
            for letter in 1..=0xff {
                let at = place ^ letter;
                let unit = units[at];
                if unit & (1 << 31 | 0xff) != letter as u32 {
                    continue;
                }
                let below = at ^ children(unit);
                if unit >> 8 & 1 == 1 {
                    let replacement = units
                        .get(below)
                        .and_then(|value| texts.get((value & !(1 << 31)) as usize..))
                        .ok_or("a replacement is outside of it")?;
                    let end = replacement.find('\0').unwrap_or(replacement.len());
                    growth = growth.max(end as f64 / length as f64);
                }
                next.push(below);
            }
        }
        level = next;
    }
    Ok(growth)
}

/// The way from a unit to its children.
fn children(unit: u32) -> usize {
    ((unit >> 10) << ((unit & 1 << 9) >> 6)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that makes "a" a "bc", with one unit changed.
    fn table(change: Option<(usize, u32)>) -> String {
        let mut units = vec![0_u32; 512];
        // from "a" at 0x61 to 0x100, where its replacement begins at byte 0
        units[0x61] = 0x61 | 1 << 8 | (0x61 ^ 0x100) << 10;
        if let Some((at, unit)) = change {
            units[at] = unit;
        }
        let mut bytes = 2048_u32.to_le_bytes().to_vec();
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend("bcd\0é\0".as_bytes());
        base64::encode(bytes)
    }

    #[test]
    fn a_table_is_followed_wherever_a_text_may_lead() {
        assert_eq!(growth(&table(None)), Ok(3.0));
        let unit = |way: u32| Some((0x61, 0x61 | 1 << 8 | way << 10));
        for bad in [
            table(unit(0x61 ^ 0x2000)),
            table(Some((0, 0x2000 << 10))),
            // a replacement behind the end, and one that begins inside of a letter
            table(Some((0x100, 9))),
            table(Some((0x100, 5))),
        ] {
            assert!(growth(&bad).is_err(), "{bad}");
        }
        assert!(growth("////").is_err());
        assert!(growth("!").is_err());
        assert!(growth(&base64::encode([0; 4])).is_err());
    }
}
