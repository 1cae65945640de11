//! The text of a file that a person opened: unpacked if it is gzip, and its bytes read as characters.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::binary;
use super::rows::TextEncoding;
use crate::error::{Error, Remedy, Result};

const GZIP: &[u8] = b"\x1F\x8B";
/// Bytes that a packed file may unpack to: a few kilobytes can hold more than any memory.
const MOST_UNPACKED: u64 = 1 << 30;

/// The characters of the bytes 0x80 to 0x9F in Windows-1252, as the WHATWG's encoding standard has them; the other bytes are
/// their own code points.
const WINDOWS_1252: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2C6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}', '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
];

/// A file's text, and what was found out on the way to it.
pub(crate) struct Decoded<'a> {
    /// The file's name, without the ending of a packed one.
    pub name: &'a str,
    /// Without a byte order mark; lines end in a line feed, perhaps after a carriage return.
    pub text: Cow<'a, str>,
    pub encoding: TextEncoding,
}

/// Reads a file's bytes. `expected` says what an empty file should hold.
///
/// # Errors
/// `InvalidData` for a file without any text; `InvalidFile` for a binary file, for an archive that is broken or too large, and
/// for bytes that are not of the encoding, with the offset of the first at fault.
pub(crate) fn decode<'a>(
    file: &'a str,
    bytes: &'a [u8],
    encoding: Option<TextEncoding>,
    expected: &str,
) -> Result<Decoded<'a>> {
    let name = match file.rsplit_once('.') {
        Some((name, end)) if end.eq_ignore_ascii_case("gz") && bytes.starts_with(GZIP) => name,
        _ => file,
    };
    let (text, encoding) = if bytes.starts_with(GZIP) {
        let unpacked = unpack(file, bytes, MOST_UNPACKED)?;
        let (text, encoding) = characters(file, &unpacked, encoding)?;
        (Cow::Owned(text.into_owned()), encoding)
    } else {
        characters(file, bytes, encoding)?
    };
    if text.trim().is_empty() {
        return Err(Error::data(
            file,
            None,
            format!("the file is empty; {expected}"),
        ));
    }
    Ok(Decoded {
        name,
        text: line_feeds(text),
        encoding,
    })
}

/// What a gzip file holds, `most` bytes at most.
fn unpack(file: &str, bytes: &[u8], most: u64) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut reader = MultiGzDecoder::new(bytes).take(most + 1);
    reader.read_to_end(&mut unpacked).map_err(|error| {
        Error::file(
            file,
            format!("it begins as a gzip file, but cannot be unpacked ({error}); it may be cut off or damaged"),
        )
    })?;
    if unpacked.len() as u64 > most {
        return Err(Error::file(
            file,
            format!(
                "it unpacks to more than the {} MiB that are read; unpack it and take a part of it",
                most >> 20
            ),
        ));
    }
    Ok(unpacked)
}

/// The characters that the bytes stand for, without a byte order mark.
fn characters<'a>(
    file: &str,
    bytes: &'a [u8],
    asked: Option<TextEncoding>,
) -> Result<(Cow<'a, str>, TextEncoding)> {
    let encoding = asked.unwrap_or(match bytes {
        [0xFF, 0xFE, ..] => TextEncoding::Utf16Le,
        [0xFE, 0xFF, ..] => TextEncoding::Utf16Be,
        _ => TextEncoding::Utf8,
    });
    let text = match encoding {
        TextEncoding::Utf8 => Cow::Borrowed(utf8(file, bytes)?),
        TextEncoding::Utf16Le => Cow::Owned(utf16(file, bytes, u16::from_le_bytes)?),
        TextEncoding::Utf16Be => Cow::Owned(utf16(file, bytes, u16::from_be_bytes)?),
        TextEncoding::Windows1252 => {
            binary::refuse(file, bytes)?;
            Cow::Owned(bytes.iter().map(|byte| windows_1252(*byte)).collect())
        }
    };
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Cow::Owned(mut text) => {
            if text.starts_with('\u{feff}') {
                text.remove(0);
            }
            Cow::Owned(text)
        }
    };
    Ok((text, encoding))
}

fn utf8<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str> {
    binary::refuse(file, bytes)?;
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        Error::file(
            file,
            format!(
                "expected UTF-8 text, but the byte 0x{byte:02X} at byte offset {offset} is not; save the file as UTF-8 and \
                 open it again, or read it as Windows-1252 (encoding) if an older Windows program wrote it"
            ),
        )
        .with_remedy(Remedy::ReadAsWindows1252)
    })
}

fn utf16(file: &str, bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(units.len());
    for (index, found) in char::decode_utf16(units.iter().map(|pair| unit(*pair))).enumerate() {
        text.push(found.map_err(|_| {
            Error::file(
                file,
                format!("expected UTF-16 text, but character {index} is half of a pair; the file may be damaged"),
            )
        })?);
    }
    if !rest.is_empty() {
        let reason = "expected UTF-16 text, two bytes a unit, but the number of bytes is odd; the file may be cut off";
        return Err(Error::file(file, reason));
    }
    if let Some(index) = text.find('\0') {
        let reason = format!(
            "expected UTF-16 text, but there is a zero character after {index} bytes of text, so this is another encoding or a binary file"
        );
        return Err(Error::file(file, reason));
    }
    Ok(text)
}

// A library for this one encoding brings the tables of all others, some hundred kilobytes of the module.
fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9F => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Old Macintosh lines, which end in a carriage return alone, as lines that everything else knows.
fn line_feeds(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') && !text.contains('\n') {
        Cow::Owned(text.replace('\r', "\n"))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn no_more_is_unpacked_than_allowed() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&[b'a'; 100_000]).unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(unpack("a.gz", &packed, 100_000).unwrap().len(), 100_000);
        let error = unpack("a.gz", &packed, 99_999).unwrap_err().to_string();
        assert!(
            error.starts_with("a.gz: it unpacks to more than"),
            "{error}"
        );
    }
}
