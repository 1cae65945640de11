//! A step's batches in parts that engines can compute side by side.

use super::memory::MemoryProfile;
use super::options::LoopOptions;
use crate::device::EngineKind;
use crate::models::size::Shape;
use crate::peft::MethodType;

/// Token positions of a part, if it has more than one row.
const PART_POSITIONS: usize = 256;

/// The batches, each cut by its tokens. On the CPU engine it is cut the same way whether there are several or one, so that their number changes no
/// bit; a graphics card computes whole batches. `lengths`: tokens of each row.
pub fn parts(
    batches: &[Vec<usize>],
    lengths: &[usize],
    kind: EngineKind,
    options: &LoopOptions,
) -> Vec<Vec<usize>> {
    let cut = |batch: &Vec<usize>| {
        let longest = batch.iter().map(|row| lengths[*row]).max();
        let size = rows_of_a_part(batch.len(), longest.unwrap_or(1), kind, options);
        let parts = batch.chunks(size).map(<[usize]>::to_vec);
        parts.collect::<Vec<_>>()
    };
    batches.iter().flat_map(cut).collect()
}

/// Rows of a part of a batch whose longest row has this many tokens, at least 1.
fn rows_of_a_part(batch: usize, longest: usize, kind: EngineKind, options: &LoopOptions) -> usize {
    // a head alone takes less time than what is done for each part, and mixout mixes the weights once a batch
    let whole = options.method.kind() == MethodType::Probe || options.mixout > 0.0;
    if whole || kind != EngineKind::Cpu {
        return batch.max(1);
    }
    let most = (PART_POSITIONS / longest.max(1)).max(1);
    // of the same size, not the last one smaller
    batch.div_ceil(batch.div_ceil(most).max(1)).max(1)
}

/// The memory of a run whose batches, of the profile's shape, are computed in parts.
pub fn in_parts(profile: MemoryProfile, kind: EngineKind, options: &LoopOptions) -> MemoryProfile {
    let Shape { rows, tokens, .. } = profile.training;
    let part = rows_of_a_part(rows as usize, tokens as usize, kind, options);
    MemoryProfile {
        accumulates: profile.accumulates || part < rows as usize,
        training: Shape::new(part, tokens as usize),
        ..profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peft::Method;

    #[test]
    fn a_batch_is_cut_evenly_by_its_tokens_and_a_graphics_cards_is_not() {
        let lengths = [&[64; 16][..], &[300, 300, 2, 2, 2]].concat();
        let lora = LoopOptions::for_tests();
        let cut = |rows: std::ops::Range<usize>, kind, options: &LoopOptions| {
            let parts = parts(&[rows.collect()], &lengths, kind, options);
            parts.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(cut(0..16, EngineKind::Cpu, &lora), [4; 4]);
        assert_eq!(cut(0..5, EngineKind::Cpu, &lora), [3, 2]);
        assert_eq!(cut(16..18, EngineKind::Cpu, &lora), [1, 1]);
        assert_eq!(cut(18..21, EngineKind::Cpu, &lora), [3]);
        assert_eq!(cut(0..16, EngineKind::Webgpu, &lora), [16]);
        assert_eq!(cut(0..0, EngineKind::Cpu, &lora), [0; 0]);
        let probe = LoopOptions {
            method: Method::Probe(Default::default()),
            ..lora.clone()
        };
        assert_eq!(cut(0..16, EngineKind::Cpu, &probe), [16]);
        let mixout = LoopOptions {
            mixout: 0.5,
            ..lora
        };
        assert_eq!(cut(0..16, EngineKind::Cpu, &mixout), [16]);
    }
}
