//! Circles of a directed graph.

use std::collections::{BTreeMap, BTreeSet};

/// Every set of nodes from each of which one gets to all others of the set, apart from single nodes.
pub fn circles(arrows: &BTreeSet<(String, String)>) -> Vec<BTreeSet<String>> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        next.entry(from).or_default().push(to);
        next.entry(to).or_default();
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = next
        .keys()
        .map(|&start| (start, reached_from(start, &next)))
        .collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (&node, others) in &reached {
        let circle: BTreeSet<String> = others
            .iter()
            .filter(|&&other| other != node && reached[other].contains(node))
            .chain([&node])
            .map(|&other| other.to_owned())
            .collect();
        if circle.len() > 1 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

fn reached_from<'a>(start: &'a str, next: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(node) = open.pop() {
        for &other in &next[node] {
            if reached.insert(other) {
                open.push(other);
            }
        }
    }
    reached
}
