//! The kernels of attention: a unit a row, its numbers in registers, and all units of a cube read the same other rows. Every sum is in the
//! order of the rows, without barriers.

use cubecl::prelude::*;

use crate::kernels::heads::{Place, row};

/// How far below the highest score a bias must lie for its key to weigh nothing: its exponent is 0 then, whatever the score.
const FAR: f32 = 1e7;
/// Below every score of a row that has a key without a mask, above all others.
const HIDDEN: f32 = -1e7;
/// Below every score.
const LOWEST: f32 = -1e30;

/// The distances in a bias along each of its axes, 0 where it broadcasts.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub struct BiasPlace {
    batch: u32,
    head: u32,
    token: u32,
    key: u32,
}

/// Of the inputs.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub struct Places {
    query: Place,
    key: Place,
    value: Place,
    bias: BiasPlace,
}

/// `group`: heads that share a key head.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub struct Sizes {
    tokens: u32,
    keys: u32,
    group: u32,
}

/// The place of a query's bias for the first key.
#[cube]
fn bias_row(place: &BiasPlace, batch: usize, head: usize, token: usize) -> usize {
    batch * place.batch as usize + head * place.head as usize + token * place.token as usize
}

/// A row of a tensor in registers.
#[cube]
fn read<N: Size>(
    tensor: &[Vector<f32, N>],
    base: usize,
    #[comptime] vectors: usize,
) -> Array<Vector<f32, N>> {
    let mut row = Array::<Vector<f32, N>>::new(vectors);
    #[unroll]
    for i in 0..vectors {
        row[i] = tensor[base + i];
    }
    row
}

/// Registers of zeros.
#[cube]
fn zeros<N: Size>(#[comptime] vectors: usize) -> Array<Vector<f32, N>> {
    let mut row = Array::<Vector<f32, N>>::new(vectors);
    #[unroll]
    for i in 0..vectors {
        row[i] = Vector::<f32, N>::new(0.0f32);
    }
    row
}

/// The product of a row in registers and a row of a tensor.
#[cube]
fn dot<N: Size>(
    row: &Array<Vector<f32, N>>,
    tensor: &[Vector<f32, N>],
    base: usize,
    #[comptime] vectors: usize,
) -> f32 {
    let mut sum = Vector::<f32, N>::new(0.0f32);
    #[unroll]
    for i in 0..vectors {
        sum += row[i] * tensor[base + i];
    }
    sum.vector_sum()
}

/// Adds a row of a tensor, times `weight`.
#[cube]
fn add<N: Size>(
    row: &mut Array<Vector<f32, N>>,
    weight: f32,
    tensor: &[Vector<f32, N>],
    base: usize,
    #[comptime] vectors: usize,
) {
    let weight = Vector::<f32, N>::new(weight);
    #[unroll]
    for i in 0..vectors {
        row[i] += weight * tensor[base + i];
    }
}

/// A unit a query. `kept`: the result, then a vector for each of its rows.
#[cube(launch_unchecked)]
pub fn attention_forward<N: Size>(
    query: &[Vector<f32, N>],
    key: &[Vector<f32, N>],
    value: &[Vector<f32, N>],
    bias: &[f32],
    kept: &mut [Vector<f32, N>],
    places: Places,
    sizes: Sizes,
    scale: f32,
    #[comptime] vectors: usize,
) {
    let token = ABSOLUTE_POS_X as usize;
    let tokens = sizes.tokens as usize;
    if token >= tokens {
        terminate!();
    }
    let head = CUBE_POS_Y as usize;
    let batch = CUBE_POS_Z as usize;
    let key_head = head / sizes.group as usize;
    let of_bias = bias_row(&places.bias, batch, head, token);
    let own = read::<N>(query, row(&places.query, batch, head, token), vectors);

    let mut mixed = zeros::<N>(vectors);
    let mut highest = 0.0f32;
    let mut sum = 0.0f32;
    for round in 0..2u32 {
        // once more for a row whose keys are all masked: those are its keys then
        if sum == 0.0f32 {
            highest = select(round == 0u32, HIDDEN, LOWEST);
            for index in 0..sizes.keys as usize {
                let lowered = bias[of_bias + index * places.bias.key as usize];
                if lowered >= highest - FAR {
                    let at_key = row(&places.key, batch, key_head, index);
                    let score = dot::<N>(&own, key, at_key, vectors) * scale + lowered;
                    if score > highest {
                        let shrink = (highest - score).exp();
                        sum *= shrink;
                        #[unroll]
                        for i in 0..vectors {
                            mixed[i] *= Vector::<f32, N>::new(shrink);
                        }
                        highest = score;
                    }
                    let weight = (score - highest).exp();
                    sum += weight;
                    let at_value = row(&places.value, batch, key_head, index);
                    add::<N>(&mut mixed, weight, value, at_value, vectors);
                }
            }
        }
    }

    let heads = CUBE_COUNT_Y as usize;
    let place = (batch * tokens + token) * heads + head;
    let rows = CUBE_COUNT_Z as usize * tokens * heads;
    let share = 1.0f32 / sum;
    #[unroll]
    for i in 0..vectors {
        kept[place * vectors + i] = mixed[i] * Vector::<f32, N>::new(share);
    }
    let mut facts = Vector::<f32, N>::new(highest);
    facts.insert(1usize, share);
    kept[rows * vectors + place] = facts;
}

/// A unit a query: its gradient, and for the other kernel the product of the result and its gradient.
#[cube(launch_unchecked)]
pub fn attention_backward_query<N: Size>(
    query: &[Vector<f32, N>],
    key: &[Vector<f32, N>],
    value: &[Vector<f32, N>],
    bias: &[f32],
    gradient: &[Vector<f32, N>],
    kept: &mut [Vector<f32, N>],
    to_query: &mut [Vector<f32, N>],
    places: Places,
    to_place: Place,
    sizes: Sizes,
    scale: f32,
    #[comptime] vectors: usize,
) {
    let token = ABSOLUTE_POS_X as usize;
    let tokens = sizes.tokens as usize;
    if token >= tokens {
        terminate!();
    }
    let head = CUBE_POS_Y as usize;
    let batch = CUBE_POS_Z as usize;
    let heads = CUBE_COUNT_Y as usize;
    let key_head = head / sizes.group as usize;
    let of_bias = bias_row(&places.bias, batch, head, token);
    let own = read::<N>(query, row(&places.query, batch, head, token), vectors);

    let place = (batch * tokens + token) * heads + head;
    let rows = CUBE_COUNT_Z as usize * tokens * heads;
    let from = read::<N>(gradient, place * vectors, vectors);
    let mut along = Vector::<f32, N>::new(0.0f32);
    #[unroll]
    for i in 0..vectors {
        along += from[i] * kept[place * vectors + i];
    }
    let along = along.vector_sum();
    let mut facts = kept[rows * vectors + place];
    facts.insert(2usize, along);
    kept[rows * vectors + place] = facts;
    let highest = facts.extract(0usize);
    let share = facts.extract(1usize);

    let mut sum = zeros::<N>(vectors);
    for index in 0..sizes.keys as usize {
        let lowered = bias[of_bias + index * places.bias.key as usize];
        if lowered >= highest - FAR {
            let at_key = row(&places.key, batch, key_head, index);
            let score = dot::<N>(&own, key, at_key, vectors) * scale + lowered;
            let weight = (score - highest).exp() * share;
            let at_value = row(&places.value, batch, key_head, index);
            let to_weight = dot::<N>(&from, value, at_value, vectors);
            let to_score = weight * (to_weight - along) * scale;
            add::<N>(&mut sum, to_score, key, at_key, vectors);
        }
    }
    let to = row(&to_place, batch, head, token);
    #[unroll]
    for i in 0..vectors {
        to_query[to + i] = sum[i];
    }
}

/// A unit a row of a key head, for the gradient to the key (kind 0) or to the value (kind 1), whose cubes follow one another: each keeps
/// only its own sum in registers.
#[cube(launch_unchecked)]
pub fn attention_backward_keys<N: Size>(
    query: &[Vector<f32, N>],
    key: &[Vector<f32, N>],
    value: &[Vector<f32, N>],
    bias: &[f32],
    gradient: &[Vector<f32, N>],
    kept: &[Vector<f32, N>],
    to: &mut [Vector<f32, N>],
    places: Places,
    to_key: Place,
    to_value: Place,
    sizes: Sizes,
    kinds: u32,
    first: u32,
    scale: f32,
    #[comptime] vectors: usize,
) {
    let index = ABSOLUTE_POS_X as usize;
    if index >= sizes.keys as usize {
        terminate!();
    }
    let tokens = sizes.tokens as usize;
    let group = sizes.group as usize;
    let key_head = CUBE_POS_Y as usize;
    let heads = CUBE_COUNT_Y as usize * group;
    let batch = (CUBE_POS_Z / kinds) as usize;
    let batches = (CUBE_COUNT_Z / kinds) as usize;
    let of_key = first + CUBE_POS_Z % kinds == 0u32;
    let own_key = read::<N>(key, row(&places.key, batch, key_head, index), vectors);
    let own_value = read::<N>(value, row(&places.value, batch, key_head, index), vectors);
    let rows = batches * tokens * heads;

    let mut sum = zeros::<N>(vectors);
    for member in 0..group {
        let head = key_head * group + member;
        for token in 0..tokens {
            let place = (batch * tokens + token) * heads + head;
            let facts = kept[rows * vectors + place];
            let highest = facts.extract(0usize);
            let of_bias = bias_row(&places.bias, batch, head, token);
            let lowered = bias[of_bias + index * places.bias.key as usize];
            if lowered >= highest - FAR {
                let at_query = row(&places.query, batch, head, token);
                let score = dot::<N>(&own_key, query, at_query, vectors) * scale + lowered;
                let weight = (score - highest).exp() * facts.extract(1usize);
                if of_key {
                    let to_weight = dot::<N>(&own_value, gradient, place * vectors, vectors);
                    let to_score = weight * (to_weight - facts.extract(2usize)) * scale;
                    add::<N>(&mut sum, to_score, query, at_query, vectors);
                } else {
                    add::<N>(&mut sum, weight, gradient, place * vectors, vectors);
                }
            }
        }
    }
    let mut at = row(&to_value, batch, key_head, index);
    if of_key {
        at = row(&to_key, batch, key_head, index);
    }
    #[unroll]
    for i in 0..vectors {
        to[at + i] = sum[i];
    }
}
