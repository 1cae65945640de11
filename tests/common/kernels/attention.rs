use burn::tensor::{Device, Tensor, TensorData};
use webtune::device::Compute;
use webtune::layers::{
    Dropout, MASKED, attend, attend_grouped, attend_heads, attend_joined, padding_bias, split_heads,
};

use super::{agrees, gradients, leaf, some};

const LIMIT: f32 = 1e-5;

/// Biases as models give them.
#[derive(Debug, Clone, Copy)]
enum Bias {
    /// `[batch, 1, 1, keys]`: each text one key shorter than the one before it.
    Padding,
    /// The same, and no key at all for the last text.
    Nothing,
    /// `[1, 1, tokens, keys]`: the last query sees all keys.
    Causal,
    /// `[batch, 1, tokens, keys]`: a number of its own at each place, every third key masked, every seventh twice.
    Packed,
    /// `[1, 1, 1, 1]`
    None,
}

impl Bias {
    fn tensor(self, [batch, tokens, keys]: [usize; 3], device: &Device) -> Tensor<4> {
        let masked = MASKED as f32;
        let of = |shape: [usize; 4], value: &dyn Fn(usize, usize, usize) -> f32| {
            let count = shape.iter().product::<usize>();
            let [_, _, rows, columns] = shape;
            let values = (0..count).map(|index| {
                value(
                    index / (rows * columns),
                    index / columns % rows,
                    index % columns,
                )
            });
            Tensor::from_data(TensorData::new(values.collect::<Vec<_>>(), shape), device)
        };
        let mask = |last: usize| {
            let real = (0..batch * keys).map(|index| {
                let (text, key) = (index / keys, index % keys);
                let seen = key + text < keys && (text + 1 < batch || last > 0);
                f32::from(u8::from(seen))
            });
            let data = TensorData::new(real.collect::<Vec<_>>(), [batch, keys]);
            padding_bias(Tensor::from_data(data, device))
        };
        match self {
            Self::Padding => mask(1),
            Self::Nothing => mask(0),
            Self::Causal => of([1, 1, tokens, keys], &|_, token, key| {
                if key + tokens > keys + token {
                    masked
                } else {
                    0.0
                }
            }),
            Self::Packed => of([batch, 1, tokens, keys], &|text, token, key| {
                let place = text + token + key;
                let free = (place as f32 * 0.37).sin();
                match place {
                    place if place % 7 == 0 => 2.0 * masked,
                    place if place % 3 == 0 => masked,
                    _ => free,
                }
            }),
            Self::None => Tensor::zeros([1, 1, 1, 1], device),
        }
    }
}

/// Attention of each kind.
pub async fn attention_agrees(compute: &Compute) {
    from_rows(compute).await;
    from_heads(compute).await;
    grouped(compute).await;
    side_by_side(compute).await;
    partly_frozen(compute).await;
}

/// As BERT calls it: of rows, which the GPU splits into heads where they lie.
async fn from_rows(compute: &Compute) {
    for (bias, [batch, tokens, keys], heads, width) in [
        (Bias::Padding, [2, 5, 5], 3, 4),
        (Bias::Padding, [3, 33, 33], 2, 32),
        (Bias::Nothing, [2, 5, 5], 2, 8),
        (Bias::Packed, [2, 5, 8], 2, 8),
        (Bias::None, [1, 1, 1], 1, 4),
    ] {
        let what = format!("attention of rows, {bias:?}, {tokens} of {width}");
        agrees(&what, compute, LIMIT, async |device| {
            let query = leaf(1, [batch, tokens, heads * width], device);
            let key = leaf(2, [batch, keys, heads * width], device);
            let value = leaf(3, [batch, keys, heads * width], device);
            let parts = [query.clone(), key.clone(), value.clone()];
            let [q, k, v] = parts;
            let bias = bias.tensor([batch, tokens, keys], device);
            let y = attend(q, k, v, bias, heads, &Dropout::off());
            gradients!(y, device, ["query": query, "key": key, "value": value])
        })
        .await;
    }
}

/// Heads that are split already, some of them views and some not.
async fn from_heads(compute: &Compute) {
    for (bias, [batch, tokens, keys], heads, width) in [
        (Bias::Causal, [2, 5, 5], 2, 8),
        (Bias::Causal, [1, 33, 40], 2, 64),
        (Bias::Packed, [2, 1, 9], 3, 4),
        (Bias::Packed, [1, 5, 3], 1, 128),
    ] {
        let what = format!("attention of heads, {bias:?}, {tokens} of {width}");
        agrees(&what, compute, LIMIT, async |device| {
            let query = leaf(1, [batch, tokens, heads * width], device);
            let key = leaf(2, [batch, heads, keys, width], device);
            let value = leaf(3, [batch, keys, heads * width], device);
            let bias = bias.tensor([batch, tokens, keys], device);
            let y = attend_heads(
                split_heads(query.clone(), heads),
                key.clone(),
                split_heads(value.clone(), heads),
                bias,
                &Dropout::off(),
            );
            gradients!(y, device, ["query": query, "key": key, "value": value])
        })
        .await;
    }
}

/// As Llama calls it, and with more keys than tokens, as after a prefix or a cache.
async fn grouped(compute: &Compute) {
    for (bias, [batch, tokens, keys], [key_heads, group], width) in [
        (Bias::Causal, [2, 5, 5], [2, 3], 8),
        (Bias::Causal, [1, 1, 34], [1, 3], 64),
        (Bias::Causal, [1, 33, 35], [2, 1], 32),
        (Bias::Packed, [2, 5, 7], [1, 3], 4),
    ] {
        let what = format!("attention of {key_heads} groups, {bias:?}, {tokens} of {width}");
        agrees(&what, compute, LIMIT, async |device| {
            let query = leaf(1, [batch, tokens, key_heads * group * width], device);
            let key = leaf(2, [batch, keys, key_heads * width], device);
            let value = leaf(3, [batch, keys, key_heads * width], device);
            let bias = bias.tensor([batch, tokens, keys], device);
            let y = attend_grouped(
                split_heads(query.clone(), key_heads * group),
                split_heads(key.clone(), key_heads),
                split_heads(value.clone(), key_heads),
                bias,
                0.3,
            );
            gradients!(y, device, ["query": query, "key": key, "value": value])
        })
        .await;
    }
}

/// As GPT-2 calls it; the CPU engine takes the parts apart.
async fn side_by_side(compute: &Compute) {
    for (bias, [batch, tokens], heads, width) in [
        (Bias::Causal, [2, 5], 3, 4),
        (Bias::Packed, [2, 33], 2, 32),
        (Bias::Nothing, [2, 1], 1, 8),
    ] {
        let what = format!("joined attention, {bias:?}, {tokens} of {width}");
        agrees(&what, compute, LIMIT, async |device| {
            let all = leaf(1, [batch, tokens, 3 * heads * width], device);
            let bias = bias.tensor([batch, tokens, tokens], device);
            let scale = (width as f64).powf(-0.5);
            let mixed = attend_joined(&all, &bias, heads, scale);
            assert_eq!(mixed.is_some(), *device != Compute::cpu().device);
            let y = mixed.unwrap_or_else(|| {
                let part = |index: usize| {
                    let part = all.clone().narrow(2, index * heads * width, heads * width);
                    split_heads(part, heads)
                };
                attend_heads(part(0), part(1), part(2), bias, &Dropout::off())
            });
            gradients!(y, device, ["joined": all])
        })
        .await;
    }
}

/// Parts that no gradient is asked for, one at a time.
async fn partly_frozen(compute: &Compute) {
    let (shape, heads) = ([2, 5, 16], 2);
    let own = async |frozen: usize, device: &Device| {
        let [query, key, value] = [0, 1, 2].map(|part| {
            if part == frozen {
                some(part, shape, device)
            } else {
                leaf(part, shape, device)
            }
        });
        let bias = Bias::Padding.tensor([2, 5, 5], device);
        let parts = [query.clone(), key.clone(), value.clone()];
        let [q, k, v] = parts;
        let y = attend(q, k, v, bias, heads, &Dropout::off());
        match frozen {
            0 => gradients!(y, device, ["key": key, "value": value]),
            1 => gradients!(y, device, ["query": query, "value": value]),
            _ => gradients!(y, device, ["query": query, "key": key]),
        }
    };
    for frozen in 0..3 {
        let what = format!("attention with part {frozen} frozen");
        agrees(&what, compute, LIMIT, async |device| {
            own(frozen, device).await
        })
        .await;
    }
    agrees(
        "attention with a trained value",
        compute,
        LIMIT,
        async |device| {
            let value = leaf(3, shape, device);
            let bias = Bias::Padding.tensor([2, 5, 5], device);
            let (query, key) = (some(1, shape, device), some(2, shape, device));
            let y = attend(query, key, value.clone(), bias, heads, &Dropout::off());
            gradients!(y, device, ["value": value])
        },
    )
    .await;
}
