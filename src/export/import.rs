//! The way back: the files of an export become the tuned network that they describe, with the same outputs.

use burn::module::Module;

use super::file::{ADAPTER, ADAPTER_MODEL, DENSE, ExportedFile, HEAD, MODEL, MODEL_HEAD};
use super::folder::Folder;
use super::model::{Described, Imported, Model};
use crate::peft::adapter_file::ADAPTER_CONFIG;
use crate::peft::store::{Tensors, restore};
use crate::peft::{HoulsbyConfig, LoraConfig, Method, MethodType, PrefixConfig, TaskType};
use crate::{Error, Result};

/// Reads an export back onto the model that is loaded.
///
/// # Errors
/// Missing or broken files, an adapter that does not fit the model, tensors of other shapes than the model has.
pub async fn import<M: Model>(model: &M, files: Vec<ExportedFile>) -> Result<M::Tuned> {
    let folder = Folder::new(files, M::MARK);
    let described = model.described(&folder).await?;
    let method = read_method(&folder, &described)?;
    model.check(&described, &method)?;
    let tensors = read_tensors(&folder, &described).await?;
    let blank = model.blank(&described, &folder)?;
    let (network, trainable) = restore(blank.clone(), &method, &tensors)?;
    // a file may name layers that no model of ours has, and what leaves must not
    let method = method.resolve(&blank);
    let imported = Imported {
        network: network.valid(),
        method,
        trainable,
        card: folder.card(),
        described,
        folder: &folder,
    };
    model.tuned(imported).await
}

fn read_method(folder: &Folder, described: &Described) -> Result<Method> {
    let settings = || folder.bytes(ADAPTER_CONFIG);
    let (method, task) = match described.method {
        MethodType::Full => return Ok(Method::Full(Default::default())),
        MethodType::Probe => return Ok(Method::Probe(Default::default())),
        // AdapterHub's file does not say what the model is for
        MethodType::Houlsby => {
            let config = HoulsbyConfig::from_adapter_config(settings()?)?;
            return Ok(Method::Houlsby(config));
        }
        MethodType::Lora => {
            let (config, task) = LoraConfig::from_adapter_config(settings()?)?;
            (Method::Lora(config), task)
        }
        MethodType::Prefix => {
            let (config, task) = PrefixConfig::from_adapter_config(settings()?)?;
            (Method::Prefix(config), task)
        }
    };
    if let Some(task) = task
        && task != described.task
    {
        let reason = format!(
            "task_type is {}, expected {}",
            task.as_str(),
            described.task.as_str()
        );
        return Err(Error::file(ADAPTER_CONFIG, reason));
    }
    Ok(method)
}

/// The method's values, and those of a head that has a file of its own.
async fn read_tensors(folder: &Folder, described: &Described) -> Result<Tensors> {
    let weights = match described.method {
        MethodType::Lora | MethodType::Prefix => ADAPTER_MODEL,
        MethodType::Houlsby => ADAPTER,
        MethodType::Full => MODEL,
        MethodType::Probe => HEAD,
    };
    let mut tensors = folder.tensors(weights).await?;
    match (described.method, described.task) {
        (MethodType::Probe, TaskType::FeatureExtraction) => tensors = tensors.below("linear"),
        (MethodType::Probe, _) if !described.names_head => tensors = tensors.below("classifier"),
        (MethodType::Probe, _) => {}
        (_, TaskType::FeatureExtraction) => tensors.extend(folder.tensors(DENSE).await?),
        (MethodType::Houlsby, _) => tensors.extend(folder.tensors(MODEL_HEAD).await?),
        _ => {}
    }
    Ok(tensors)
}
