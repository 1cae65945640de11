//! What breaks a rule today. Take an entry out with its fault; add none.

/// Arrows up: the file, and the room that it names.
#[rustfmt::skip]
pub const ARROWS: &[(&str, &str)] = &[
];

/// Files that name each other in a circle within their room.
pub const CIRCLES: &[&str] = &[];

/// Files above the limit of lines.
pub const LONG_FILES: &[&str] = &[
    "tests/chat.rs",
    "tests/common/matrix.rs",
    "tests/common/parity.rs",
    "tests/data.rs",
    "tests/export.rs",
    "tests/recipes.rs",
    "tests/safeguards.rs",
    "tests/sequences.rs",
];
