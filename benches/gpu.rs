//! Times whole training steps on a graphics card next to its own fastest matrix product, and checks that they learn what
//! the CPU engine learns. Needs no files: the models are random ones of well-known shapes.
//!
//!   npm run bench:gpu [-- --only WORDS]
//!
//! `--only` runs the cases whose names contain the words.

use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::{DType, Device};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::benchmark::{ClassifierBenchmark, LanguageBenchmark, LanguageWork, Shape, matmul};
use webtune::device::{Compute, EngineKind, GUARANTEED_BINDING};
use webtune::formats::MemorySource;
use webtune::layers::Storage;
use webtune::models::DecoderConfig;
use webtune::models::random::random_language_model;
use webtune::{Error, Result};

/// Seconds of one timing.
const TIMING: f64 = 0.4;
/// Timings of each kind, in turns, of which the median counts.
const ROUNDS: usize = 5;
/// Steps whose losses are compared; the second one has been through a backward pass and AdamW.
const COMPARED: usize = 2;
/// Largest difference of those losses over the larger one: the limit that the parity tests have.
const LIMIT: f64 = 1e-4;

/// What one row of the table measures.
enum Case {
    Classifier(Shape),
    Language {
        config: Value,
        work: LanguageWork,
        /// Whether the CPU engine computes the same batch; a larger batch of a model that is compared already would only cost time.
        compared: bool,
    },
}

/// A model that takes steps.
enum Subject {
    Classifier(Box<ClassifierBenchmark>),
    Language(Box<LanguageBenchmark>),
}

impl Subject {
    async fn new(case: &Case, weights: &Weights, compute: &Compute) -> Result<Self> {
        Ok(match case {
            Case::Classifier(shape) => Self::Classifier(Box::new(
                ClassifierBenchmark::new(shape.clone(), compute).await?,
            )),
            Case::Language { work, .. } => {
                let (config, file) = weights
                    .as_ref()
                    .ok_or_else(|| Error::state("no weights were made"))?;
                let benchmark = LanguageBenchmark::new(config, file, *work, compute).await?;
                Self::Language(Box::new(benchmark))
            }
        })
    }

    async fn step(&mut self) -> Result<f32> {
        match self {
            Self::Classifier(benchmark) => benchmark.step().await,
            Self::Language(benchmark) => benchmark.step().await,
        }
    }

    fn flops(&self) -> f64 {
        match self {
            Self::Classifier(benchmark) => benchmark.flops(),
            Self::Language(benchmark) => benchmark.flops(),
        }
    }

    /// Bytes; only language models have an estimate that needs no texts.
    fn estimated(&self) -> Option<u64> {
        match self {
            Self::Classifier(_) => None,
            Self::Language(benchmark) => Some(benchmark.estimate().total()),
        }
    }
}

/// A language model's configuration and its file, made once for all cases of that model.
type Weights = Option<(DecoderConfig, MemorySource)>;

impl Case {
    fn tokens(&self) -> usize {
        match self {
            Self::Classifier(shape) => shape.batch * shape.tokens,
            Self::Language { work, .. } => work.rows * work.tokens,
        }
    }

    /// Products `[m, k] x [k, n]` that the step is made of, and some that suit any card.
    fn products(&self) -> Result<Vec<[usize; 3]>> {
        let rows = self.tokens();
        let mut products = match self {
            Self::Classifier(shape) => {
                let [h, wide] = [shape.hidden_size, shape.intermediate_size];
                vec![[rows, h, h], [rows, h, wide], [rows, wide, h]]
            }
            Self::Language { config, .. } => {
                let config = parse(config)?;
                let [h, wide] = [config.hidden_size, config.intermediate_size];
                vec![[rows, h, h], [rows, h, wide], [rows, wide, h]]
            }
        };
        products.extend([512, 1024, 2048, 4096].map(|n| [n, n, n]));
        Ok(products)
    }
}

fn parse(config: &Value) -> Result<DecoderConfig> {
    DecoderConfig::parse(config.to_string().as_bytes())
}

fn minilm(batch: usize, tokens: usize) -> (String, Case) {
    let shape = Shape {
        layers: 6,
        hidden_size: 384,
        heads: 12,
        intermediate_size: 1536,
        vocab_size: 30522,
        batch,
        tokens,
        r: 8,
    };
    (
        format!("MiniLM, {batch} x {tokens}"),
        Case::Classifier(shape),
    )
}

fn language(
    name: &str,
    config: Value,
    [rows, tokens]: [usize; 2],
    storage: Storage,
    checkpointing: bool,
) -> (String, Case) {
    let again = if checkpointing { ", checkpointing" } else { "" };
    let words = format!("{name}, {rows} x {tokens}, {}{again}", storage.as_str());
    let work = LanguageWork {
        rows,
        tokens,
        r: 8,
        storage,
        checkpointing,
    };
    let compared = rows * tokens <= 1024 || name != "SmolLM2-135M";
    let case = Case::Language {
        config,
        work,
        compared,
    };
    (words, case)
}

/// Those first whose failure would be the least expected.
fn cases() -> Vec<(String, Case)> {
    let stories = json!({
        "model_type": "llama", "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 8,
        "num_key_value_heads": 4, "intermediate_size": 172, "max_position_embeddings": 512, "tie_word_embeddings": true
    });
    let smollm = json!({
        "model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9,
        "num_key_value_heads": 3, "intermediate_size": 1536, "max_position_embeddings": 8192, "tie_word_embeddings": true,
        "rope_theta": 100000.0
    });
    let stories = |size, storage| language("stories260K", stories.clone(), size, storage, false);
    let smollm = |size, storage, checkpointing| {
        language("SmolLM2-135M", smollm.clone(), size, storage, checkpointing)
    };
    vec![
        minilm(16, 64),
        minilm(64, 128),
        stories([8, 128], Storage::F32),
        stories([64, 128], Storage::F32),
        smollm([4, 256], Storage::F32, false),
        smollm([4, 256], Storage::F32, true),
        smollm([16, 256], Storage::F32, false),
        smollm([4, 256], Storage::Int8, true),
        smollm([4, 256], Storage::Int4, true),
        smollm([4, 256], Storage::F16, true),
    ]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length.is_multiple_of(2) => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    }
}

fn seconds(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64()
}

/// How often something of that duration fits into a timing.
fn repeats(each: f64) -> usize {
    (TIMING / each).clamp(1.0, 1000.0) as usize
}

/// Multiplications and additions a second of some products.
fn product_rate(compute: &Compute, [m, k, n]: [usize; 3], count: usize) -> Result<f64> {
    let begin = Instant::now();
    block_on(matmul(compute, [m, k, n], count))?;
    Ok(2.0 * (m * k * n) as f64 * count as f64 / seconds(begin))
}

/// The fastest of the products, and how many of it make one timing.
fn fastest(compute: &Compute, products: &[[usize; 3]]) -> Result<([usize; 3], usize)> {
    let mut best = ([0; 3], 0, 0.0);
    for product in products {
        let flop = 2.0 * product.iter().product::<usize>() as f64;
        // a software adapter would need minutes for the large ones
        if best.2 > 0.0 && flop / best.2 > 4.0 * TIMING {
            continue;
        }
        product_rate(compute, *product, 1)?;
        let count = repeats(flop / product_rate(compute, *product, 4)?);
        let rate = product_rate(compute, *product, count)?;
        if rate > best.2 {
            best = (*product, count, rate);
        }
    }
    Ok((best.0, best.1))
}

/// A row of the table, and how far the losses are apart.
fn measure(
    name: &str,
    case: &Case,
    weights: &Weights,
    compute: &Compute,
    expected: Option<&[f32]>,
) -> Result<(String, f64)> {
    let tokens = case.tokens();
    let mut subject = block_on(Subject::new(case, weights, compute))?;
    let mut losses = Vec::new();
    let begin = Instant::now();
    for _ in 0..COMPARED {
        losses.push(block_on(subject.step())?);
    }
    eprintln!(
        "{name}: first {COMPARED} steps took {:.2} s",
        seconds(begin)
    );
    let apart = expected.map_or(0.0, |expected| {
        let pairs = expected.iter().zip(&losses);
        let each = pairs.map(|(a, b)| f64::from((a - b).abs() / a.abs().max(b.abs())));
        // f64::max would pass over a loss that is no number
        each.fold(
            0.0,
            |worst, other| if other <= worst { worst } else { other },
        )
    });
    let begin = Instant::now();
    block_on(subject.step())?;
    let steps = repeats(seconds(begin));
    let (product, count) = fastest(compute, &case.products()?)?;
    let (mut durations, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for _ in 0..steps {
            block_on(subject.step())?;
        }
        durations.push(seconds(begin) / steps as f64);
        rates.push(product_rate(compute, product, count)?);
    }
    let (duration, rate) = (median(durations), median(rates));
    let speed = subject.flops() / duration;
    let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
    let reserved = compute.device.memory_pool_usage();
    let words = |losses: &[f32]| {
        let each = losses.iter().map(|loss| format!("{loss:.5}"));
        each.collect::<Vec<_>>().join(", ")
    };
    let [m, k, n] = product;
    let row = [
        name.to_string(),
        format!("{:.2}", 1000.0 * duration),
        format!("{:.0}", tokens as f64 / duration),
        format!("{:.1}", speed / 1e9),
        format!("{:.1} ({m}x{k}x{n})", rate / 1e9),
        format!("{:.0}%", 100.0 * speed / rate),
        expected.map_or_else(|| "-".into(), words),
        words(&losses),
        expected.map_or_else(|| "-".into(), |_| format!("{apart:.1e}")),
        subject.estimated().map_or_else(|| "-".into(), mib),
        reserved.map_or_else(|| "-".into(), |usage| mib(usage.bytes_reserved)),
    ];
    Ok((format!("| {} |", row.join(" | ")), apart))
}

/// The losses of the same batch on the CPU engine; checkpointing changes none of them.
fn expected(case: &Case, weights: &Weights) -> Result<Option<Vec<f32>>> {
    let plain = match case {
        Case::Language {
            compared: false, ..
        } => return Ok(None),
        Case::Language { config, work, .. } => Case::Language {
            config: config.clone(),
            work: LanguageWork {
                checkpointing: false,
                ..*work
            },
            compared: true,
        },
        Case::Classifier(shape) => Case::Classifier(shape.clone()),
    };
    let begin = Instant::now();
    let mut subject = block_on(Subject::new(&plain, weights, &Compute::cpu()))?;
    let mut losses = Vec::new();
    for _ in 0..COMPARED {
        losses.push(block_on(subject.step())?);
    }
    eprintln!("CPU engine, {COMPARED} steps: {:.1} s", seconds(begin));
    Ok(Some(losses))
}

/// A model of that configuration; the one at hand where it has the same.
fn weights_of(case: &Case, at_hand: Weights) -> Result<Weights> {
    let Case::Language { config, .. } = case else {
        return Ok(at_hand);
    };
    let config = parse(config)?;
    match at_hand {
        Some((known, file)) if known == config => Ok(Some((known, file))),
        _ => {
            let file = random_language_model(&config, 1)?;
            Ok(Some((config, MemorySource::new("model.safetensors", file))))
        }
    }
}

/// The adapter that the platform prefers, and its name.
fn open() -> Result<(Compute, String)> {
    let opened = block_on(Device::wgpu_options().init_with_setup_async());
    let (device, setup) = opened.map_err(|error| Error::NoWebgpu {
        reason: error.to_string(),
    })?;
    let info = setup.adapter.get_info();
    let name = format!(
        "{} ({:?}, {:?}, {} {})",
        info.name, info.backend, info.device_type, info.driver, info.driver_info
    );
    let compute = Compute {
        has_f16: device.supports_dtype(DType::F16),
        device,
        kind: EngineKind::Webgpu,
        // cards differ, and a case that does not fit fails for itself alone
        memory_limit: u64::MAX,
        // as in a browser
        max_binding: GUARANTEED_BINDING,
    };
    Ok((compute, name))
}

fn wanted() -> Result<String> {
    // cargo bench adds --bench
    let given = std::env::args().skip(1).filter(|word| word != "--bench");
    let given = given.collect::<Vec<_>>();
    match given.as_slice() {
        [] => Ok(String::new()),
        [only, words] if only == "--only" => Ok(words.clone()),
        other => Err(Error::option(
            other.join(" "),
            "the only option is --only WORDS",
        )),
    }
}

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<()> {
    let only = wanted()?;
    let begin = Instant::now();
    let (compute, name) = open()?;
    println!("adapter: {name}\n");
    println!(
        "| case | ms/step | tokens/s | GFLOP/s | fastest product | share | losses, CPU | losses, GPU | difference | estimated MiB | buffers MiB |"
    );
    println!("|{}", " --- |".repeat(11));
    let mut weights = None;
    let mut known: Option<(String, Option<Vec<f32>>)> = None;
    let mut worst: f64 = 0.0;
    let mut failed = 0;
    for (name, case) in cases() {
        if !name.contains(&only) {
            continue;
        }
        weights = weights_of(&case, weights)?;
        let key = name.trim_end_matches(", checkpointing").to_string();
        let losses = match known {
            Some((same, losses)) if same == key => losses,
            _ => expected(&case, &weights)?,
        };
        match measure(&name, &case, &weights, &compute, losses.as_deref()) {
            Ok((row, apart)) => {
                println!("{row}");
                worst = if apart <= worst { worst } else { apart };
            }
            Err(failure) => {
                println!("| {name} | {failure} |");
                failed += 1;
            }
        }
        known = Some((key, losses));
        // the next case counts its own buffers alone
        compute.device.memory_cleanup();
    }
    println!(
        "\nlargest difference of losses: {worst:.1e}; {:.0} s in all",
        seconds(begin)
    );
    if worst > LIMIT || worst.is_nan() {
        return Err(Error::state(format!(
            "the losses are apart by {worst:.1e}, expected at most {LIMIT:.0e}"
        )));
    }
    match failed {
        0 => Ok(()),
        some => Err(Error::state(format!("{some} cases failed"))),
    }
}
