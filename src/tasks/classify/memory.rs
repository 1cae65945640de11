//! How a classifier's run is kept within the memory limit: what is cached, and whether layers are computed twice.

use super::model::Pretrained;
use super::options::ClassifyOptions;
use crate::Result;
use crate::models::classifier::HeadWeights;
use crate::models::names::is_pooler;
use crate::models::size::{NetworkSizes, Shape};
use crate::models::{Classifier, Head, HeadKind};
use crate::peft::freeze::{total_parameters, trained_parameters};
use crate::peft::{Method, MethodType, Trainable, attach, check_storage};
use crate::text::Encoding;
use crate::train::frozen::{Frozen, frozen_part};
use crate::train::memory::{BaselineSizes, Estimate, MemoryProfile, Pass, PassKind, cache_bytes};
use crate::train::parts::in_parts;
use crate::train::unfreeze::Groups;

/// The network as it will be trained, as far as a plan needs it.
pub(super) struct Planned {
    pub method: Method,
    pub head: HeadKind,
    pub trainable: Trainable,
    pub groups: Groups,
    pub trained: u64,
    pub total: u64,
}

/// What a run takes and how it is kept within the limit.
pub(super) struct MemoryPlan {
    pub frozen: Frozen,
    pub may_cache: bool,
    pub checkpointing: bool,
    /// Rows of a pass that is no training step.
    pub scoring_rows: usize,
    pub estimate: Estimate,
}

impl Planned {
    pub fn new(
        model: &Pretrained,
        head: HeadKind,
        options: &ClassifyOptions,
        labels: usize,
    ) -> Result<Self> {
        let blank = HeadWeights::zeros(labels, model.config.hidden_size);
        let module = Head::new(head, &blank, &model.compute.device);
        let mut classifier = Classifier::new(model.encoder.clone(), module);
        let method = options.common.method.resolve(&classifier);
        check_storage(&method, model.storage)?;
        let trainable = attach(&mut classifier, &method, options.common.head_seed())?;
        Ok(Self {
            trained: trained_parameters(&classifier, &trainable),
            total: total_parameters(&classifier),
            groups: Groups::new(&trainable, &classifier),
            method,
            head,
            trainable,
        })
    }

    /// What is frozen while the topmost `active` groups train.
    fn frozen(&self, layers: usize, active: usize) -> Frozen {
        let pooler_trains = self.trainable.paths().any(is_pooler);
        let frozen = self.groups.frozen_layers(active);
        frozen_part(frozen, layers, self.head, pooler_trains)
    }

    /// Keeps the output of what is frozen if there is room for it, and computes layers twice if there is no other way.
    pub fn memory(
        &self,
        model: &Pretrained,
        options: &ClassifyOptions,
        encodings: &[Encoding],
        labels: usize,
    ) -> Result<MemoryPlan> {
        let ClassifyOptions { own, common } = options;
        let layers = model.config.num_hidden_layers;
        let all = self.groups.len();
        let unfreezes = common.unfreeze_every_steps + common.unfreeze_every_epochs > 0;
        let lengths = || encodings.iter().map(|encoding| encoding.ids.len());
        let cache = (if unfreezes { 1..=all } else { all..=all })
            .map(|active| self.frozen(layers, active))
            .map(|frozen| cache_bytes(frozen, lengths(), model.config.hidden_size as u64))
            .max();
        let cache = cache.unwrap_or(0);
        let caches: &[bool] = if cache > 0 && own.frozen_cache && own.dropout == 0.0 {
            &[true, false]
        } else {
            &[false]
        };
        let checkpointing: &[bool] = match common.gradient_checkpointing {
            Some(true) => &[true],
            Some(false) => &[false],
            None if self.method.kind() == MethodType::Probe => &[false],
            None if model.storage.is_quantized() => &[true],
            None => &[false, true],
        };
        let longest = lengths().max().unwrap_or(1);
        let scoring_rows = model.rows_at_once(encodings, self.method.virtual_tokens());
        let scoring_rows = scoring_rows.min(encodings.len());
        let profile = self.profile(model, options, [encodings.len(), longest], scoring_rows);
        let profile = MemoryProfile {
            baselines: BaselineSizes {
                rows: encodings.len() as u64,
                labels: labels as u64,
            },
            ..profile
        };
        let with = |may_cache: bool, checkpointing: bool| MemoryProfile {
            cache: if may_cache { cache } else { 0 },
            checkpointing,
            ..profile.clone()
        };
        let ways = checkpointing
            .iter()
            .flat_map(|checkpointing| caches.iter().map(|cache| (*cache, *checkpointing)));
        let mut last = (false, false);
        for way in ways {
            last = way;
            let estimate = with(way.0, way.1).estimate();
            if estimate.total() <= model.compute.memory_limit {
                break;
            }
        }
        let (may_cache, checkpointing) = last;
        Ok(MemoryPlan {
            frozen: if may_cache {
                self.frozen(layers, all)
            } else {
                Frozen::Nothing
            },
            estimate: with(may_cache, checkpointing).check(&model.compute)?,
            may_cache,
            checkpointing,
            scoring_rows,
        })
    }

    fn profile(
        &self,
        model: &Pretrained,
        options: &ClassifyOptions,
        [rows, longest]: [usize; 2],
        scoring_rows: usize,
    ) -> MemoryProfile {
        let ClassifyOptions { own, common } = options;
        let network = NetworkSizes::of_backbone(&model.config, model.storage, model.compute.kind);
        let contrastive = own.contrastive.settings();
        let training = Shape::new(common.train_batch_size.min(rows), longest);
        let frozen = self.groups.frozen_layers(self.groups.len());
        let layers = model.config.num_hidden_layers;
        let scoring = |kind| Pass::new(kind, scoring_rows, longest);
        let profile = MemoryProfile::new(network, self.method.clone(), self.trained, training);
        let profile = in_parts(profile.with_options(common), model.compute.kind, common);
        // each text of a contrastive batch is compared with all others
        let together = contrastive.map_or(0, |stage| stage.batch_size.min(rows));
        let together = Shape::new(together.max(profile.training.rows as usize), longest);
        MemoryProfile {
            trained_layers: layers.saturating_sub(frozen) as u64,
            dropout: own.dropout > 0.0,
            passes: vec![scoring(PassKind::Features), scoring(PassKind::Evaluation)],
            training: together,
            ..profile
        }
    }
}
