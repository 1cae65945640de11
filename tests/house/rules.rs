//! A crate's arrows against a table of rooms. Each rule gives the list of what breaks it, none if it holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::circles;
use crate::source::{Arrow, Crate, Target};

/// A room and the rooms that it may name, separated by spaces; it may also name what those may name.
pub type Row = (&'static str, &'static str);

pub struct House {
    /// Room to every room that it may name, itself included.
    may_name: BTreeMap<String, BTreeSet<String>>,
    open_to_all: BTreeSet<String>,
}

impl House {
    /// # Errors
    ///
    /// A row names a room that has no row.
    pub fn new(rows: &[Row], open_to_all: &[&str]) -> Result<Self, String> {
        let rows: BTreeMap<&str, Vec<&str>> = rows
            .iter()
            .map(|&(room, others)| (room, others.split_whitespace().collect()))
            .collect();
        let mut may_name = BTreeMap::new();
        for &room in rows.keys() {
            let mut reached = BTreeSet::new();
            let mut open = vec![room];
            while let Some(room) = open.pop() {
                if reached.insert(room.to_owned()) {
                    let others = rows.get(room);
                    open.extend(others.ok_or_else(|| format!("{room}: in a row, has none"))?);
                }
            }
            may_name.insert(room.to_owned(), reached);
        }
        Ok(Self {
            may_name,
            open_to_all: open_to_all.iter().map(|&room| room.to_owned()).collect(),
        })
    }

    /// The longest room that a file's path begins with; a file of no room gets its folder's or its own name.
    pub fn room_of(&self, file: &str) -> String {
        let stem = file.strip_suffix(".rs").unwrap_or(file);
        let inside = |room: &&String| {
            stem.strip_prefix(room.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let room = self
            .may_name
            .keys()
            .filter(inside)
            .max_by_key(|room| room.len());
        let first = || stem.split('/').next().unwrap_or(stem).to_owned();
        room.cloned().unwrap_or_else(first)
    }

    pub fn rooms_without_row(&self, files: &[(String, String)]) -> Vec<String> {
        let rooms: BTreeSet<String> = files
            .iter()
            .filter(|(file, _)| file != "lib.rs")
            .map(|(file, _)| self.room_of(file))
            .collect();
        rooms
            .into_iter()
            .filter(|room| !self.may_name.contains_key(room))
            .collect()
    }

    /// Pairs of a file and the room that it may not name, with the lines that do.
    pub fn arrows_up(&self, source: &Crate) -> BTreeMap<(String, String), Vec<usize>> {
        let mut found: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for Arrow { from, line, to } in source.arrows() {
            let Target::File(to) = to else { continue };
            // the front door of the whole crate
            if from == "lib.rs" || to == "lib.rs" {
                continue;
            }
            let (room, other) = (self.room_of(&from), self.room_of(&to));
            let allowed = self.open_to_all.contains(&other)
                || self
                    .may_name
                    .get(&room)
                    .is_some_and(|rooms| rooms.contains(&other));
            if !allowed {
                found.entry((from, other)).or_default().push(line);
            }
        }
        found
    }

    /// Circles between rooms, without the arrows that are `known` to point up.
    pub fn circles_of_rooms(&self, source: &Crate, known: &[(&str, &str)]) -> Vec<String> {
        let mut arrows = BTreeSet::new();
        for (from, to) in file_arrows(source) {
            let (room, other) = (self.room_of(&from), self.room_of(&to));
            let front_door = from == "lib.rs" || to == "lib.rs";
            if !front_door && room != other && !known.contains(&(&from, &other)) {
                arrows.insert((room, other));
            }
        }
        circles(&arrows).iter().map(listed).collect()
    }

    /// Files of one room that name each other in a circle.
    pub fn circles_of_files(&self, source: &Crate) -> Vec<BTreeSet<String>> {
        let arrows = file_arrows(source)
            .into_iter()
            .filter(|(from, to)| self.room_of(from) == self.room_of(to))
            .collect();
        circles(&arrows)
    }
}

fn file_arrows(source: &Crate) -> BTreeSet<(String, String)> {
    source
        .arrows()
        .into_iter()
        .filter_map(|arrow| match arrow.to {
            Target::File(to) => Some((arrow.from, to)),
            Target::Outside(_) => None,
        })
        .collect()
}

/// Files outside `room` that name one of the crates.
pub fn strangers(source: &Crate, room: &str, crates: &[&str]) -> Vec<String> {
    source
        .arrows()
        .into_iter()
        .filter_map(|Arrow { from, line, to }| match to {
            Target::Outside(name) if crates.contains(&name.as_str()) => Some((from, line, name)),
            Target::Outside(_) | Target::File(_) => None,
        })
        .filter(|(from, ..)| !from.starts_with(&format!("{room}/")))
        .map(|(from, line, name)| format!("{from}:{line} names {name}"))
        .collect()
}

pub fn listed(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}
