//! Makes hostile inputs out of good ones: text and bytes that are cut, spliced and repeated, and JSON whose values, keys and depth are wrong.

use serde_json::{Map, Value};
use webtune::rng::Rng;

/// Values that readers stumble over, as JSON text; some are no JSON.
const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "3",
    "0.5",
    "-1.5",
    "1e308",
    "-1e308",
    "1e400",
    "5e-324",
    "1e-400",
    "255",
    "256",
    "65535",
    "65536",
    "1048576",
    "16777215",
    "16777216",
    "16777217",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740991",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "NaN",
    "Infinity",
    "-Infinity",
    "\"\"",
    "\" \"",
    "\"0\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ufeff\"",
    "\"\\n\"",
    "\"e\\u0301\\u0301\\u0301\"",
    "\"\u{1F469}\u{200D}\u{1F4BB}\"",
    "\"..\"",
    "\"/\"",
    "\"*\"",
    "\"(\"",
    "\"(?:a*)*$\"",
    "\"(a{1000}){1000}\"",
    "\"\\\\p{L}{1000}\"",
    "\".*\"",
    "\"$\"",
    "\"^\"",
    "\"{{\"",
    "\"{% for a in range(99999) %}\"",
    "\"constructor\"",
    "\"__proto__\"",
    "\"<s>\"",
    "\"[PAD]\"",
    "\"String\"",
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    "[null]",
    "[0]",
    "[-1]",
    "[0,0,0]",
    "{\"\":0}",
    "{\"type\":\"Sequence\"}",
    "",
    ",",
    ":",
    "]",
    "}",
];

/// Words that are known somewhere else in the same kind of file.
fn word_of(rng: &mut Rng, json: &Value) -> Value {
    let mut all = Vec::new();
    collect(json, &mut all);
    if all.is_empty() {
        return Value::Null;
    }
    all[rng.below(all.len())].clone()
}

fn collect(json: &Value, out: &mut Vec<Value>) {
    out.push(json.clone());
    match json {
        // of a long list or vocabulary the first ones will do
        Value::Array(list) => list.iter().take(20).for_each(|value| collect(value, out)),
        Value::Object(map) => map.values().take(40).for_each(|value| collect(value, out)),
        _ => {}
    }
}

fn hostile(rng: &mut Rng) -> String {
    match rng.below(40) {
        0 => nested(rng, "[", "]"),
        1 => nested(rng, "{\"a\":", "}"),
        2 => format!("\"{}\"", "a".repeat(1 << rng.below(16))),
        3 => format!("\"{}\"", "\u{10ffff}".repeat(1 << rng.below(12))),
        4 => format!("[{}0]", "0,".repeat(1 << rng.below(14))),
        5 => format!("\"{}\"", "(".repeat(1 << rng.below(12))),
        6 => format!("{}", rng.next_u64()),
        7 => format!("{:e}", f64::from_bits(rng.next_u64())),
        8 => format!("{}", rng.below(4096)),
        _ => VALUES[rng.below(VALUES.len())].into(),
    }
}

fn nested(rng: &mut Rng, open: &str, close: &str) -> String {
    let depth = [20, 100, 127, 129, 1000, 10_000][rng.below(6)];
    let closed = if rng.below(4) == 0 { 0 } else { depth };
    format!("{}0{}", open.repeat(depth), close.repeat(closed))
}

/// Text that stands for itself in a JSON value: each of these becomes a string or a key that is replaced once the value is written.
struct Raw(Vec<String>);

impl Raw {
    fn mark(&mut self, text: String) -> String {
        self.0.push(text);
        format!("\u{1}{}\u{1}", self.0.len() - 1)
    }

    /// `"\u0001N\u0001"` in `text`, or the same as a key of null, becomes the text number N.
    fn put(&self, mut text: String) -> String {
        for (index, raw) in self.0.iter().enumerate() {
            let mark = format!("\"\\u0001{index}\\u0001\"");
            text = text.replacen(&format!("{mark}:null"), raw, 1);
            text = text.replacen(&mark, raw, 1);
        }
        text
    }
}

/// A JSON text with one to four changes.
pub fn json(rng: &mut Rng, good: &Value) -> Vec<u8> {
    let mut value = good.clone();
    let mut raw = Raw(Vec::new());
    for _ in 0..changes(rng) {
        let other = word_of(rng, good);
        change(rng, &mut value, &other, &mut raw);
    }
    let text = raw.put(value.to_string());
    match rng.below(8) {
        0 => bytes(rng, &[text.as_bytes()]),
        _ => text.into_bytes(),
    }
}

/// Mostly one, which leaves the rest as good as it was; up to four.
fn changes(rng: &mut Rng) -> usize {
    [1, 1, 1, 2, 3, 4][rng.below(6)]
}

/// Changes one place below `value`.
fn change(rng: &mut Rng, value: &mut Value, other: &Value, raw: &mut Raw) {
    let stops = rng.below(4) == 0;
    match value {
        Value::Object(map) if !map.is_empty() && !stops => {
            let key = map.keys().nth(rng.below(map.len())).cloned();
            let Some(key) = key else { return };
            match rng.below(8) {
                0 => {
                    map.shift_remove(&key);
                }
                1 => {
                    let text = format!("{}:{}", Value::from(key), hostile(rng));
                    map.insert(raw.mark(text), Value::Null);
                }
                2 => rename(rng, map, &key),
                _ => change(rng, &mut map[&key], other, raw),
            }
        }
        Value::Array(list) if !list.is_empty() && !stops => {
            let index = rng.below(list.len());
            match rng.below(8) {
                0 => {
                    list.remove(index);
                }
                1 => list.push(list[index].clone()),
                2 => {
                    let item = list[index].clone();
                    list.extend(std::iter::repeat_n(item, 1 << rng.below(8)));
                }
                3 => {
                    let last = list.len() - 1;
                    list.swap(index, last);
                }
                _ => change(rng, &mut list[index], other, raw),
            }
        }
        Value::String(text) if rng.below(3) == 0 => {
            let mutated = bytes(rng, &[text.as_bytes()]);
            *text = String::from_utf8_lossy(&mutated).replace('\u{1}', "");
        }
        place => {
            *place = match rng.below(4) {
                0 => other.clone(),
                _ => Value::String(raw.mark(hostile(rng))),
            };
        }
    }
}

fn rename(rng: &mut Rng, map: &mut Map<String, Value>, key: &str) {
    let value = map.shift_remove(key).unwrap_or_default();
    let name = match rng.below(3) {
        0 => map.keys().next().cloned().unwrap_or_default(),
        1 => key.to_uppercase(),
        _ => ["", "type", "constructor", "__proto__", "a.b", "("][rng.below(6)].into(),
    };
    map.insert(name, value);
}

/// One of the texts with one to four changes of its bytes.
pub fn bytes(rng: &mut Rng, good: &[&[u8]]) -> Vec<u8> {
    const LONGEST: usize = 1 << 16;
    let mut bytes = good[rng.below(good.len())].to_vec();
    for _ in 0..changes(rng) {
        let [start, end] = place(rng, bytes.len());
        match rng.below(9) {
            0 => bytes.truncate(start),
            1 => drop(bytes.drain(start..end)),
            2 if !bytes.is_empty() => {
                let at = rng.below(bytes.len());
                bytes[at] ^= 1 << rng.below(8);
            }
            3 => {
                let from = good[rng.below(good.len())];
                let [first, last] = place(rng, from.len());
                let part = from[first..last].to_vec();
                drop(bytes.splice(start..end, part));
            }
            4 => {
                let part = bytes[start..end].to_vec();
                let times = 1 << rng.below(14);
                let times = times.min(LONGEST / part.len().max(1));
                drop(bytes.splice(start..start, part.repeat(times)));
            }
            5 => {
                let text = hostile(rng);
                drop(bytes.splice(start..end, text.into_bytes()));
            }
            6 if !bytes.is_empty() => {
                let at = rng.below(bytes.len());
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b'{'][rng.below(8)];
            }
            7 => {
                let text = hostile(rng);
                drop(bytes.splice(start..start, text.into_bytes()));
            }
            _ => {
                let number = rng.next_u64() >> rng.below(64);
                let at = start.min(bytes.len().saturating_sub(8));
                for (byte, new) in bytes[at..].iter_mut().zip(number.to_le_bytes()) {
                    *byte = new;
                }
            }
        }
        bytes.truncate(2 * LONGEST);
    }
    bytes
}

/// A part, often a short one.
fn place(rng: &mut Rng, length: usize) -> [usize; 2] {
    let start = rng.below(length + 1);
    let longest = if rng.below(2) == 0 { 16 } else { length };
    [start, (start + rng.below(longest + 1)).min(length)]
}

/// A safetensors file whose header is changed as JSON, or whose bytes are.
pub fn safetensors(rng: &mut Rng, good: &[u8]) -> Vec<u8> {
    let parts = good.split_first_chunk::<8>();
    let header = parts.and_then(|(length, rest)| {
        let (header, data) = rest.split_at_checked(u64::from_le_bytes(*length) as usize)?;
        Some((serde_json::from_slice::<Value>(header).ok()?, data))
    });
    let Some((header, data)) = header.filter(|_| rng.below(4) > 0) else {
        return bytes(rng, &[good]);
    };
    let header = json(rng, &header);
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    match rng.below(4) {
        0 => file.extend(bytes(rng, &[data])),
        _ => file.extend(data),
    }
    file
}

/// A GGUF file that is changed as the JSON that says what is in it, or whose bytes are.
pub fn gguf(rng: &mut Rng, good: &Value, encode: fn(&Value) -> Vec<u8>) -> Vec<u8> {
    let text = json(rng, good);
    let changed = serde_json::from_slice(&text).map(|file| encode(&file));
    let file = changed.unwrap_or_else(|_| encode(good));
    match rng.below(3) {
        0 => bytes(rng, &[&file]),
        _ => file,
    }
}
