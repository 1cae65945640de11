//! What a classifier gives for rows of the plan, through the cache of its frozen part, and the head that is fitted on it.

use burn::module::Module;
use burn::tensor::Tensor;

use super::task::ClassifyTask;
use crate::Result;
use crate::device::read;
use crate::eval::evaluate::scoring_batches;
use crate::eval::probe::{ProbeData, fit};
use crate::models::classifier::HeadWeights;
use crate::models::{Classifier, Inputs};

/// Inverse strength of the L2 penalty (scikit-learn's `C`) of the head that is fitted after a contrastive stage. One value, because where
/// such a stage helps most, the validation rows are too few to choose by.
const REFIT_PENALTY: f64 = 10.0;

impl ClassifyTask {
    /// What `forward` gives for rows of the plan, in their order; the cache is used and filled. `classifier`: without gradients.
    pub(super) async fn score(
        &mut self,
        classifier: &Classifier,
        rows: std::ops::Range<usize>,
        forward: impl Fn(&Inputs) -> Tensor<2>,
    ) -> Result<Vec<Vec<f32>>> {
        let (encodings, cache) = (&self.plan.encodings, &mut self.cache);
        let mut out = vec![Vec::new(); rows.len()];
        let batches = scoring_batches(&encodings[rows.clone()], self.plan.scoring_rows)?;
        let compute = async |part: usize| {
            let places = (batches[part].iter().map(|row| row + rows.start)).collect::<Vec<_>>();
            let inputs = cache.inputs(classifier, encodings, &places).await?;
            read(forward(&inputs)).await
        };
        let team = &self.model.compute.team;
        let values: Vec<Vec<f32>> = team.all(batches.len(), compute).await?;
        for (batch, values) in batches.iter().zip(values) {
            let columns = values.len() / batch.len();
            for (row, values) in batch.iter().zip(values.chunks(columns)) {
                out[*row] = values.to_vec();
            }
        }
        Ok(out)
    }

    /// A head fitted on the encoder as it is now.
    pub(super) async fn refit(&mut self, classifier: &Classifier) -> Result<HeadWeights> {
        let snapshot = classifier.valid();
        let rows = 0..self.plan.train.len();
        let forward = |inputs: &Inputs| snapshot.features(inputs);
        let features = self.score(&snapshot, rows, forward).await?;
        if !features.iter().flatten().all(|value| value.is_finite()) {
            // a diverged encoder: the scores will show it
            return Ok(self.prepared()?.heads.probe.clone());
        }
        let plan = &self.plan;
        let bias = Classifier::has_bias(&classifier.encoder, plan.head);
        let data = ProbeData::new(features.concat(), plan.train.labels.clone(), bias);
        fit(&data, plan.labels.len(), REFIT_PENALTY, None).await
    }
}
