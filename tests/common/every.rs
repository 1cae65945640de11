//! Options of small runs of every method and of all that a run may have besides, for tests that hold of any run.

use pollster::block_on;
use serde_json::{Value, json};
use webtune::export::{ExportedFile, Model, files, own_format};
use webtune::train::task::{EventOf, Task};

/// An event without the time that it took, and without what a model wrote.
pub fn facts<T: Task>(event: &EventOf<T>) -> Value {
    let mut json = serde_json::to_value(event).unwrap();
    let map = json.as_object_mut().unwrap();
    map.remove("ms");
    if map["type"] == "evaluation" {
        map.remove("completions");
    }
    json
}

/// What a run found, as files in the method's own format.
pub fn exported<M: Model>(model: &M, tuned: &M::Tuned) -> Vec<ExportedFile> {
    let format = own_format(model, tuned).unwrap();
    block_on(files(model, tuned, format)).unwrap()
}

/// A small classifier's options.
pub fn quick(more: Value) -> Value {
    let mut options = json!({
        "learningRate": 1e-2, "headLearningRate": 0.1, "warmupRatio": 0.1, "numTrainEpochs": 2, "trainBatchSize": 8,
        "contrastive": false
    });
    let map = options.as_object_mut().unwrap();
    map.extend(more.as_object().unwrap().clone());
    options
}

/// Options of classifiers.
pub fn classifiers() -> Vec<Value> {
    [
        json!({"method": {"type": "lora", "loraDropout": 0.2, "useDora": true}, "dropout": 0.1}),
        json!({"method": {"type": "lora", "initLoraWeights": "pissa", "bias": "all"}, "head": "mean"}),
        json!({"method": {"type": "full"}, "mixout": 0.3, "l2Sp": 0.1, "layerLrDecay": 0.9}),
        json!({"method": {"type": "full"}, "unfreezeEverySteps": 2, "contrastive": {"steps": 3}}),
        json!({"method": {"type": "lora"}, "unfreezeEveryEpochs": 1, "numTrainEpochs": 3, "head": "mean"}),
        json!({"method": {"type": "lora", "layersToTransform": [1]}, "head": "mean"}),
        json!({"method": {"type": "probe"}, "headInit": "random"}),
        json!({"method": {"type": "houlsby"}, "contrastive": {"steps": 3}, "l2Sp": 0.1}),
        json!({"method": {"type": "prefix"}, "gradientCheckpointing": true, "gradientAccumulationSteps": 2}),
        json!({"method": {"type": "lora"}, "seeds": 3, "dropout": 0.1, "earlyStoppingPatience": 1}),
        json!({"method": {"type": "lora", "initLoraWeights": "pissa"}, "seeds": 2, "contrastive": {"steps": 2}}),
        json!({"method": {"type": "full"}, "seeds": 2, "learningRate": 1e30, "maxGradNorm": 0}),
        json!({"learningRate": 0.5, "headLearningRate": 3.0, "numTrainEpochs": 8, "earlyStoppingPatience": 2, "head": "mean"}),
        // its epochs are chosen by the clock
        json!({"recipe": "balanced", "method": {"type": "lora"}, "numTrainEpochs": null, "learningRate": null}),
    ]
    .map(quick)
    .to_vec()
}

/// Options of language models.
pub fn language_models() -> Vec<Value> {
    [
        json!({"method": {"type": "lora", "loraDropout": 0.2}, "evalSteps": 2}),
        json!({"method": {"type": "lora", "initLoraWeights": "pissa"}, "fewShotExamples": 1}),
        json!({"method": {"type": "full"}, "mixout": 0.3, "l2Sp": 0.1, "unfreezeEverySteps": 2}),
        json!({"method": {"type": "prefix"}, "gradientCheckpointing": true, "gradientAccumulationSteps": 2}),
        json!({"method": {"type": "lora", "useDora": true}, "packing": true, "seeds": 2, "earlyStoppingPatience": 1}),
    ]
    .map(|more| {
        let mut options = quick(more);
        let map = options.as_object_mut().unwrap();
        map.remove("headLearningRate");
        map.remove("contrastive");
        map.insert("maxLength".into(), json!(64));
        map.insert("sampleTokens".into(), json!(2));
        map.insert("trainBatchSize".into(), json!(4));
        options
    })
    .to_vec()
}
