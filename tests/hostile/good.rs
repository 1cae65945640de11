//! Inputs that are as they should be, of every kind, out of which hostile ones are made.

use serde_json::{Value, json};

const TOKENIZERS: [&[u8]; 2] = [
    include_bytes!("../fixtures/tokenizer_bpe/tokenizer.json"),
    include_bytes!("../fixtures/tokenizer_wordpiece/tokenizer.json"),
];

/// config.json of each family, small enough to be loaded.
pub fn configs() -> Vec<Value> {
    let encoder = |word: &str| {
        json!({
            "model_type": word, "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 16, "max_position_embeddings": 8, "type_vocab_size": 2, "layer_norm_eps": 1e-5, "hidden_act": "gelu",
            "initializer_range": 0.02, "pad_token_id": 0, "position_embedding_type": "absolute", "architectures": ["BertModel"],
            "is_decoder": false, "pooling_mode_mean_tokens": true, "pooling_mode": "mean"
        })
    };
    let decoder = |word: &str| {
        json!({
            "model_type": word, "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 4, "intermediate_size": 16, "max_position_embeddings": 16, "rms_norm_eps": 1e-6,
            "hidden_act": "silu", "rope_theta": 1e4, "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false,
            "eos_token_id": [1, 2], "bos_token_id": 0, "pad_token_id": null, "initializer_range": 0.02, "sliding_window": 4,
            "use_sliding_window": false, "max_window_layers": 1, "architectures": ["M"]
        })
    };
    let with = |mut base: Value, more: Value| {
        if let (Some(base), Some(more)) = (base.as_object_mut(), more.as_object()) {
            base.extend(more.clone());
        }
        base
    };
    let llama3 = json!({"rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8
    }});
    let gemma = json!({
        "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 4, "rope_local_base_freq": 1e4,
        "layer_types": ["sliding_attention", "full_attention"], "sliding_window_pattern": 2, "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e6}}, "final_logit_softcapping": null
    });
    vec![
        encoder("bert"),
        with(encoder("roberta"), json!({"pad_token_id": 1})),
        json!({
            "model_type": "distilbert", "vocab_size": 10, "dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 16,
            "max_position_embeddings": 8, "activation": "gelu", "sinusoidal_pos_embds": false, "pad_token_id": 0
        }),
        json!({
            "model_type": "modernbert", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 12, "max_position_embeddings": 16, "local_attention": 4, "global_attn_every_n_layers": 2,
            "global_rope_theta": 160000.0, "classifier_pooling": "mean", "layer_types": ["full_attention", "sliding_attention"],
            "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 3e4}}
        }),
        with(decoder("llama"), llama3),
        decoder("qwen2"),
        decoder("qwen3"),
        with(decoder("gemma3_text"), gemma),
        json!({
            "model_type": "gpt2", "vocab_size": 10, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_inner": 16, "n_positions": 16,
            "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "eos_token_id": 3, "scale_attn_weights": true
        }),
    ]
}

/// SentencePiece's table that makes "a" a "bc"; `src/text/charsmap.rs` has the layout.
fn charsmap() -> String {
    let mut units = [0_u32; 512];
    units[0x61] = 0x61 | 1 << 8 | (0x61 ^ 0x100) << 10;
    let mut bytes = 2048_u32.to_le_bytes().to_vec();
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes.extend(b"bc\0");
    base64::encode(bytes)
}

/// tokenizer.json: two real ones, and small ones that together have every part that the library knows.
pub fn tokenizers() -> Vec<Value> {
    let whole = |model: Value, normalizer: Value, pre: Value, post: Value, decoder: Value| {
        json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": [{
                "id": 0, "content": "[UNK]", "single_word": false, "lstrip": true, "rstrip": false, "normalized": true, "special": true
            }],
            "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": post, "decoder": decoder, "model": model
        })
    };
    let vocab = json!({"[UNK]": 0, "a": 1, "b": 2, "ab": 3, "##a": 4, "\u{2581}": 5, "he": 6, "<0x41>": 7, "Ġ": 8, "o": 9});
    let bpe = json!({
        "type": "BPE", "dropout": null, "unk_token": "[UNK]", "continuing_subword_prefix": null, "end_of_word_suffix": null,
        "fuse_unk": false, "byte_fallback": true, "ignore_merges": false, "vocab": vocab, "merges": [["a", "b"]]
    });
    let pieces = json!({
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab
    });
    let unigram = json!({
        "type": "Unigram", "unk_id": 0, "byte_fallback": false,
        "vocab": [["[UNK]", 0.0], ["a", -1.0], ["b", -2.0], ["ab", -1.5], ["\u{2581}", -3.0], ["he", -2.5]]
    });
    let words = json!({"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"});
    let sequence = |kind: &str, parts: Value| json!({"type": "Sequence", kind: parts});
    let template = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[UNK]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"[UNK]": {"id": "[UNK]", "ids": [0], "tokens": ["[UNK]"]}}
    });
    let split = |pattern: Value, behavior: &str| json!({"type": "Split", "pattern": pattern, "behavior": behavior, "invert": false});
    let levels = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    let mut all = TOKENIZERS
        .map(|bytes| serde_json::from_slice(bytes).unwrap())
        .to_vec();
    all.extend([
        whole(
            bpe.clone(),
            sequence("normalizers", json!([
                {"type": "Prepend", "prepend": "\u{2581}"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"},
                {"type": "Replace", "pattern": {"Regex": " +"}, "content": " "}, {"type": "NFKC"}
            ])),
            Value::Null,
            template,
            sequence("decoders", json!([
                {"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0}
            ])),
        ),
        whole(
            bpe,
            json!({"type": "ByteLevel"}),
            sequence("pretokenizers", json!([
                split(json!({"Regex": "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+"}), "Isolated"),
                split(json!({"String": "b"}), "MergedWithPrevious"), {"type": "Digits", "individual_digits": true}, levels
            ])),
            sequence("processors", json!([{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}])),
            levels.clone(),
        ),
        whole(
            pieces,
            json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}),
            json!({"type": "BertPreTokenizer"}),
            json!({"type": "BertProcessing", "sep": ["[UNK]", 0], "cls": ["[UNK]", 0]}),
            json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        ),
        whole(
            unigram,
            sequence("normalizers", json!([
                {"type": "Precompiled", "precompiled_charsmap": charsmap()}, {"type": "Strip", "strip_left": true, "strip_right": true},
                {"type": "StripAccents"}, {"type": "NFD"}, {"type": "Nmt"}, {"type": "Lowercase"}
            ])),
            json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true}),
            json!({"type": "RobertaProcessing", "sep": ["[UNK]", 0], "cls": ["[UNK]", 0], "trim_offsets": true, "add_prefix_space": true}),
            json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true}),
        ),
        whole(
            words.clone(),
            json!({"type": "NFC"}),
            sequence("pretokenizers", json!([
                {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"}, {"type": "CharDelimiterSplit", "delimiter": "-"},
                {"type": "UnicodeScripts"}, {"type": "FixedLength", "length": 5}
            ])),
            Value::Null,
            json!({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true}),
        ),
        whole(
            words,
            Value::Null,
            json!({"type": "Whitespace"}),
            Value::Null,
            json!({"type": "BPEDecoder", "suffix": "</w>"}),
        ),
    ]);
    if let Some(tokenizer) = all.last_mut() {
        tokenizer["truncation"] =
            json!({"direction": "Left", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
        tokenizer["padding"] = json!({
            "strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": 8, "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]"
        });
    }
    all
}

pub const TEMPLATES: &[&str] = &[
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}\
     {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] | trim %}{% set messages = messages[1:] %}\
     {% else %}{% set system = '' %}{% endif %}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}\
     {{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if m['role'] == 'user' %}[INST] {{ m.content.strip() }} [/INST]\
     {% else %}{% generation %}{{ m.content ~ eos_token }}{% endgeneration %}{% endif %}{% endfor %}",
    "{%- macro write(role, text) -%}<{{ role }}>{{ text | tojson(indent=2) }}</{{ role }}>{%- endmacro -%}{%- set ns = namespace(last=0, all='') -%}\
     {%- for m in messages %}{%- set ns.last = loop.index %}{%- set ns.all = ns.all ~ m.content %}{{ write(m.role, m.content) }}\
     {%- if loop.last and add_generation_prompt %}<assistant>{%- endif %}{%- endfor %}{{ strftime_now('%d %b %Y') }}{{ ns.all | length }}\
     {{ messages | map(attribute='role') | join(',') | replace('user', 'human') | indent(4) | upper }}{% if tools is defined %}{{ range(3) | list }}{% endif %}",
    "{% for x in range(9) %}{% for y in range(9) if y % 2 %}{{ '%s-%d' | format('a', x * y ** 2 // 3) }}{% break %}{% endfor %}{% endfor %}\
     {{ 'a' * 9 }}{{ messages | map(attribute='content') | sort | unique | batch(2) | list }}{{ {'a': [1, 2.5]} | items | list }}\
     {% filter indent(width=3) %}{{ messages | pprint }}{% endfilter %}{{ ' a b '.split(' ')[::-1] | join }}{{ 'x'.upper() ~ 'y'.replace('y', 'zz') }}",
];

pub fn tokenizer_configs() -> Vec<Value> {
    let token = |text: &str| json!({"content": text, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false});
    vec![
        json!({
            "bos_token": "<s>", "eos_token": token("</s>"), "unk_token": token("<unk>"), "pad_token": null, "model_max_length": 2048,
            "chat_template": TEMPLATES[1], "added_tokens_decoder": {"0": token("<unk>")}, "tokenizer_class": "LlamaTokenizer"
        }),
        json!({
            "eos_token": "<|im_end|>",
            "chat_template": [{"name": "default", "template": TEMPLATES[0]}, {"name": "tool_use", "template": TEMPLATES[2]}]
        }),
    ]
}

pub fn indexes() -> Vec<Value> {
    let shard = "model-00001-of-00001.safetensors";
    vec![json!({"metadata": {"total_size": 12}, "weight_map": {"a": shard, "b": shard}})]
}

/// A whole file.
pub fn safetensors() -> Vec<u8> {
    let header = json!({
        "__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]}, "c": {"dtype": "F16", "shape": [], "data_offsets": [32, 34]},
        "d": {"dtype": "I64", "shape": [1], "data_offsets": [34, 42]}, "e": {"dtype": "U8", "shape": [0, 9], "data_offsets": [42, 42]}
    });
    let header = header.to_string().into_bytes();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend([0; 42]);
    file
}

pub const ROWS: &[&str] = &[
    "text,label\nthe cat,animal\n\"a \"\"big\"\" dog,\nor two\",animal\nbread;butter,food\n",
    "label\ttext\nfood\tbread and butter\nanimal\ta cat\n",
    "{\"text\": \"a cat\", \"label\": \"animal\"}\n{\"text\": \"bread\", \"label\": 3}\n\n{\"text\": \"x\", \"label\": true}\n",
    "[{\"text\": \"a cat\", \"label\": \"animal\"}, {\"text\": \"bread\", \"label\": \"food\"}]",
    "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, {\"role\": \"assistant\", \"content\": \"ho\", \"weight\": 1}]}\n\
     {\"prompt\": \"2 + 2\", \"completion\": \"4\"}\n{\"text\": \"once upon a time\"}\n",
    "{\"instruction\": \"add\", \"input\": \"1 2\", \"output\": \"3\"}\n{\"conversations\": [{\"from\": \"human\", \"value\": \"a\"}, {\"from\": \"gpt\", \"value\": \"b\"}]}\n",
    "Once upon a time.\n\nThere was a text.\r\n\r\nIt had three parts.\u{2028}And no label.\n",
    "a;b;c\n1;2;3\n\u{feff}4;5;6\n",
    "sep=;\ntext;label\na cat;animal\nbread;food\n",
    "v1,v2,,,\nham,\"hi, you\",,,\nspam,win,,,\nham,so,,,\nspam,now,,,\n",
    ",a|b,label\r0,the cat | dog,x|y\r1,bread,x\r2,butter,y\r",
    "text|toxic|threat|label\na cat|0|1|x\nbread|1|0|y\n",
    "__label__animal a cat\n__label__food bread __label__sweet\n__label__food , butter\n",
    "LOC:city Where is it ?\nDESC:def What is it ?\n",
    "{\"version\": 1, \"data\": {\"train\": [[\"a cat\", \"animal\"], [\"bread\", [\"food\"]]], \"val\": [[\"x\", NaN]]}}",
    "{\"text\": {\"0\": \"a cat\", \"1\": \"bread\"}, \"label\": [\"animal\", null]}",
    "{\"columns\": [\"text\", \"label\"], \"index\": [0, 1], \"data\": [[\"a cat\", -Infinity], [\"bread\", 3]]}",
    "{\n  \"rows\": [{\"row_idx\": 0, \"row\": {\"text\": \"a cat\", \"label\": \"animal\"}}]\n}\n",
    "{\"system\": \"be short\", \"tools\": \"[{\\\"name\\\": \\\"clock\\\"}]\", \"messages\": [{\"from\": \"human\", \"value\": [{\"type\": \"text\", \
     \"value\": \"hi\"}]}, {\"role\": \"assistant\", \"thinking\": \"well\", \"content\": \"ho\"}], \"label\": true, \"images\": []}",
    "{\"instruction\": \"add\", \"output\": \"3\", \"system\": \"s\", \"history\": [[\"a\", \"b\"]], \"kto_tag\": true}",
];

pub const PATTERNS: &[&str] = &[
    "query",
    ".*layer\\.[01]\\.attention\\..*(query|value)",
    "all-linear",
    "(q|k|v)_proj",
    "^model\\.layers\\.\\d+\\.self_attn\\.q_proj$",
    "[a-z]{1,9}(?P<n>x+)?",
];

/// `targets` must be there all.
fn lora(targets: [&str; 2]) -> Value {
    json!({
        "type": "lora", "r": 4, "loraAlpha": 16, "loraDropout": 0.1, "targetModules": targets,
        "layersToTransform": [0, 1], "useRslora": true, "useDora": false, "initLoraWeights": "gaussian",
        "rankPattern": {"query": 2, "layer.1.*": 3}, "alphaPattern": {"value": 8}, "bias": "lora_only"
    })
}

pub fn methods() -> Vec<Value> {
    vec![
        lora(["query", "value"]),
        json!({"type": "lora", "targetModules": "all-linear", "initLoraWeights": "pissa", "r": 2}),
        json!({"type": "prefix", "numVirtualTokens": 4}),
        json!({"type": "houlsby", "reductionFactor": 8, "nonLinearity": "gelu"}),
        json!({"type": "full"}),
        json!({"type": "probe"}),
    ]
}

fn common(method: Value) -> Value {
    json!({
        "method": method, "numTrainEpochs": 1, "trainBatchSize": 8, "gradientAccumulationSteps": 2, "learningRate": 1e-3,
        "headLearningRate": 1e-2, "lrSchedulerType": "cosine", "warmupRatio": 0.1, "weightDecay": 0.01, "adamBeta1": 0.9, "adamBeta2": 0.999,
        "adamEpsilon": 1e-8, "maxGradNorm": 1.0, "maxLength": 32, "seed": 7, "headSeed": 8, "seeds": 2, "validationSplit": 0.25,
        "unfreezeEveryEpochs": 1, "layerLrDecay": 0.9, "gradientCheckpointing": true,
        "earlyStoppingPatience": 2, "evalSteps": 1
    })
}

pub fn classify_options() -> Vec<Value> {
    let mut all = Vec::new();
    for method in methods() {
        if method["type"] == "probe" {
            // most of the others are of no use to it
            all.push(json!({"method": method, "head": "mean", "seed": 3}));
            continue;
        }
        let mut options = common(method.clone());
        options["contrastive"] =
            json!({"steps": 2, "batchSize": 8, "learningRate": 1e-3, "temperature": 0.1});
        options["labelDescriptions"] = json!({"food": "things to eat"});
        options["recipe"] = json!("fast");
        options["dropout"] = json!(0.1);
        if method["type"] == "full" {
            options["mixout"] = json!(0.1);
            options["l2Sp"] = json!(0.1);
        }
        all.extend([
            options,
            json!({"method": method, "head": "mean", "recipe": "best", "headInit": "random"}),
        ]);
    }
    all
}

pub fn language_options() -> Vec<Value> {
    let mut all = Vec::new();
    for method in [
        lora(["q_proj", "v_proj"]),
        json!({"type": "prefix"}),
        json!({"type": "full"}),
    ] {
        let mut options = common(method.clone());
        // there is no head
        options
            .as_object_mut()
            .unwrap()
            .shift_remove("headLearningRate");
        options["completionOnlyLoss"] = json!(true);
        options["packing"] = json!(true);
        options["maxLength"] = json!(64);
        options["samplePrompts"] = json!(["what does the cat say?"]);
        options["sampleTokens"] = json!(4);
        options["fewShotExamples"] = json!(2);
        all.extend([options, json!({"method": method, "warmupSteps": 3})]);
    }
    all
}

pub fn generation_options() -> Vec<Value> {
    vec![json!({
        "maxNewTokens": 4, "doSample": true, "temperature": 0.7, "topK": 40, "topP": 0.9, "repetitionPenalty": 1.1, "seed": 3,
        "stop": ["\n", "###"]
    })]
}
