//! Clipping and AdamW over everything that trains at once, in flat buffers: a launch for each few gradients, one for their norm, one for the step.

mod cube;

use burn::tensor::{DType, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

pub use self::cube::Constants;
use self::cube::{BLOCK, CHUNK, COLUMNS, Piece};
use super::launch::empty;
use super::takes;

/// Bytes that a buffer takes if it holds more than one tensor: half of what every adapter binds.
pub const MOST_BYTES: usize = 64 << 20;

/// A tensor of the GPU engine in float32, `[count]`.
#[derive(Debug, Clone)]
pub struct OnGpu(CubeTensor);

impl OnGpu {
    /// None if it is none, or so large that a buffer of it has no room for its sums of squares.
    pub fn new(tensor: Tensor<1>) -> Option<Self> {
        if !takes(&tensor) {
            return None;
        }
        let tensor = tensor.inner().try_into_primitive::<CubeBackend>().ok()?;
        let count = tensor.meta.num_elements().next_multiple_of(BLOCK);
        let bytes = (count + count.div_ceil(CHUNK)) * size_of::<f32>();
        let most = tensor.client.properties().memory.max_page_size;
        (bytes as u64 <= most).then(|| Self(into_contiguous(tensor)))
    }

    fn count(&self) -> usize {
        self.0.meta.num_elements()
    }
}

/// A tensor before its first step in flat buffers.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its value.
    pub value: OnGpu,
    /// Its mean and mean square, zero if it has made no step yet.
    pub means: Option<[OnGpu; 2]>,
}

/// A tensor's own part of a step.
#[derive(Debug, Clone)]
pub struct Move {
    /// Not clipped yet.
    pub gradient: OnGpu,
    /// What the value is multiplied by: 1 without decay.
    pub shrink: f32,
    /// The rate over the mean's correction.
    pub step: f32,
    /// The correction of the root of the mean square.
    pub root: f32,
}

/// Values, means and mean squares of everything that trains.
#[derive(Debug, Clone)]
pub struct Flat {
    groups: Vec<Group>,
}

/// What fits one buffer, each tensor from a multiple of [`BLOCK`] on and followed by zeros.
#[derive(Debug, Clone)]
struct Group {
    slots: Vec<Slot>,
    length: usize,
    values: CubeTensor,
    /// The means and the mean squares.
    means: [CubeTensor; 2],
    /// Each block's row in the table of a step.
    owners: CubeTensor,
}

/// A tensor's place in a group.
#[derive(Debug, Clone, Copy)]
struct Slot {
    start: usize,
    count: usize,
}

impl Slot {
    fn piece(&self, source: CubeTensor) -> Piece {
        Piece {
            source,
            count: self.count,
            width: self.count.next_multiple_of(BLOCK),
            start: self.start,
        }
    }

    fn of(&self, flat: &CubeTensor) -> CubeTensor {
        cube::view(flat, self.start, self.count)
    }
}

impl Flat {
    /// Lays tensors out, in this order.
    pub fn new(tensors: Vec<Start>) -> Self {
        let mut buffers: Vec<Vec<Start>> = Vec::new();
        let mut bytes = 0;
        for tensor in tensors {
            let more = tensor.value.count().next_multiple_of(BLOCK) * size_of::<f32>();
            match buffers.last_mut() {
                Some(buffer) if bytes + more <= MOST_BYTES => {
                    buffer.push(tensor);
                    bytes += more;
                }
                _ => {
                    buffers.push(vec![tensor]);
                    bytes = more;
                }
            }
        }
        let mut groups = Vec::new();
        // the table's first row has what all tensors share
        let mut row = 1;
        for buffer in &buffers {
            groups.extend(Group::new(buffer, row));
            row += buffer.len();
        }
        Self { groups }
    }

    /// One step of all tensors, in the order of [`Self::new`]: the new values. `values`: those of now; `moves`: none for a tensor that stays as
    /// it is. Values that earlier steps gave stay what they are.
    pub fn step(
        &mut self,
        values: Vec<OnGpu>,
        moves: Vec<Option<Move>>,
        constants: &Constants,
    ) -> Vec<Tensor<1>> {
        let Some(like) = values.first().map(|value| value.0.clone()) else {
            return Vec::new();
        };
        let mut table = vec![0.0; COLUMNS];
        for tensor in &moves {
            let row = tensor.as_ref().map(|m| [m.shrink, m.step, m.root, 1.0]);
            table.extend(row.unwrap_or_default());
        }
        let table: Vec<u8> = table.into_iter().flat_map(f32::to_ne_bytes).collect();
        let table = cube::upload(&like, &table, DType::F32);
        let (mut values, mut moves) = (values.into_iter(), moves.into_iter());
        let mut gathered = Vec::new();
        for group in &mut self.groups {
            let count = group.slots.len();
            group.take_values(values.by_ref().take(count).collect());
            gathered.push(group.gather(moves.by_ref().take(count).collect(), constants, &table));
        }
        let mut out = Vec::new();
        for (group, gradients) in self.groups.iter_mut().zip(gathered) {
            if let Some(gradients) = gradients {
                group.update(gradients, constants, &table);
            }
            let values = group.slots.iter();
            out.extend(values.map(|slot| tensor(slot.of(&group.values))));
        }
        out
    }

    /// A tensor's mean and mean square, by its place in the order of [`Self::new`].
    pub fn means(&self, mut index: usize) -> Option<[Tensor<1>; 2]> {
        for group in &self.groups {
            if let Some(slot) = group.slots.get(index) {
                return Some(group.means.each_ref().map(|means| tensor(slot.of(means))));
            }
            index -= group.slots.len();
        }
        None
    }
}

impl Group {
    /// None of no tensors. `row`: the first one's in the table.
    fn new(tensors: &[Start], row: usize) -> Option<Self> {
        let like = &tensors.first()?.value.0;
        let mut slots = Vec::new();
        let mut owners = Vec::new();
        for (index, tensor) in tensors.iter().enumerate() {
            let slot = Slot {
                start: owners.len() * BLOCK,
                count: tensor.value.count(),
            };
            slots.push(slot);
            let blocks = slot.count.div_ceil(BLOCK);
            owners.extend(std::iter::repeat_n((row + index) as u32, blocks));
        }
        let length = owners.len() * BLOCK;
        let owners: Vec<u8> = owners.into_iter().flat_map(u32::to_ne_bytes).collect();
        let flat = |of: &dyn Fn(&Slot, &Start) -> Piece| {
            let flat = empty(like, [length]);
            let pieces = slots.iter().zip(tensors);
            let pieces: Vec<_> = pieces.map(|(slot, tensor)| of(slot, tensor)).collect();
            cube::gather(&flat, &pieces, None);
            flat
        };
        let means = |which: usize| {
            flat(&|slot, tensor| match &tensor.means {
                Some(means) => slot.piece(means[which].0.clone()),
                None => Piece {
                    count: 0,
                    ..slot.piece(tensor.value.0.clone())
                },
            })
        };
        Some(Self {
            values: flat(&|slot, tensor| slot.piece(tensor.value.0.clone())),
            means: [means(0), means(1)],
            owners: cube::upload(like, &owners, DType::U32),
            slots,
            length,
        })
    }

    /// Holds these values; those that the last step gave are there already.
    fn take_values(&mut self, values: Vec<OnGpu>) {
        let mut both = self.slots.iter().zip(&values);
        if both.all(|(slot, value)| cube::same(&slot.of(&self.values), &value.0)) {
            return;
        }
        let flat = empty(&self.values, [self.length]);
        let pieces = self.slots.iter().zip(values);
        let pieces: Vec<_> = pieces.map(|(slot, value)| slot.piece(value.0)).collect();
        cube::gather(&flat, &pieces, None);
        self.values = flat;
    }

    /// The gradients in one buffer, and the sum of their squares added to the table if they are to be clipped; none if nothing moves.
    fn gather(
        &self,
        moves: Vec<Option<Move>>,
        constants: &Constants,
        table: &CubeTensor,
    ) -> Option<CubeTensor> {
        let pieces = self.slots.iter().zip(moves);
        let pieces = pieces.filter_map(|(slot, tensor)| Some(slot.piece(tensor?.gradient.0)));
        let pieces: Vec<_> = pieces.collect();
        if pieces.is_empty() {
            return None;
        }
        let clips = constants.max_norm > 0.0;
        let sums = if clips { cube::sums_of(&pieces) } else { 0 };
        let flat = empty(&self.values, [self.length + sums]);
        cube::gather(&flat, &pieces, clips.then_some(self.length));
        if clips {
            cube::add_sums(&flat, self.length, sums, table);
        }
        Some(flat)
    }

    fn update(&mut self, gradients: CubeTensor, constants: &Constants, table: &CubeTensor) {
        for means in &mut self.means {
            // somebody who holds them must not see them change
            if !means.handle.can_mut() {
                let whole = Piece {
                    source: means.clone(),
                    count: self.length,
                    width: self.length,
                    start: 0,
                };
                *means = empty(means, [self.length]);
                cube::gather(means, &[whole], None);
            }
        }
        self.values = cube::update(
            &self.values,
            gradients,
            [table, &self.owners],
            self.means.each_ref(),
            constants,
        );
    }
}

fn tensor(primitive: CubeTensor) -> Tensor<1> {
    Tensor::from_primitive::<CubeBackend>(primitive)
}
