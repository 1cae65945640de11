//! How a model's own files make one vector of a text: Sentence-Transformers' pooling module, which the baselines compare texts by.

use burn::tensor::{Int, Tensor};
use serde_json::Value;

use crate::layers::{last_token, masked_mean, normalize};
use crate::{Error, Result};

/// A text's vector from those of its tokens, by Sentence-Transformers' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SentencePooling {
    /// What is usual, and what a model without such files gets.
    #[default]
    Mean,
    /// The first token.
    Cls,
    LastToken,
    /// The largest value of each place.
    Max,
    /// The mean in which the n-th token counts n times.
    WeightedMean,
}

impl SentencePooling {
    /// Of the pooling module that `modules.json` names, or the first one; its path.
    pub fn file(modules: Option<&[u8]>) -> String {
        let modules = modules.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let modules = modules.as_ref().and_then(Value::as_array);
        let named = modules.into_iter().flatten().find(|module| {
            let kind = module["type"].as_str().unwrap_or_default();
            kind.ends_with(".Pooling")
        });
        let folder = named.and_then(|module| module["path"].as_str());
        format!("{}/config.json", folder.unwrap_or("1_Pooling"))
    }

    /// Reads the module's configuration. `None` for a way that is not built here, such as two of them side by side.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for what is no JSON.
    pub fn read(file: &str, json: &[u8]) -> Result<Option<Self>> {
        let settings: Value =
            serde_json::from_slice(json).map_err(|error| Error::file(file, error))?;
        // older files have a switch per mode, newer ones a word
        let known = [
            ("cls", "cls_token", Self::Cls),
            ("mean", "mean_tokens", Self::Mean),
            ("max", "max_tokens", Self::Max),
            ("lasttoken", "lasttoken", Self::LastToken),
            ("weightedmean", "weightedmean_tokens", Self::WeightedMean),
            // which has the direction of the mean
            ("mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Self::Mean),
        ];
        let word = settings["pooling_mode"].as_str();
        let mut found = known.iter().filter(|(name, switch, _)| {
            let switch = format!("pooling_mode_{switch}");
            word == Some(*name) || settings[switch.as_str()] == true
        });
        match (found.next(), found.next()) {
            (Some((.., pooling)), None) => Ok(Some(*pooling)),
            _ => Ok(None),
        }
    }

    /// Vectors of length 1, `[batch, hidden]`. `hidden`: `[batch, tokens, hidden]`, `mask`: `[batch, tokens]`.
    pub fn vectors(self, hidden: Tensor<3>, mask: Tensor<2>) -> Tensor<2> {
        let [_, tokens, _] = hidden.dims();
        normalize(match self {
            Self::Mean => masked_mean(hidden, mask),
            Self::Cls => hidden.narrow(1, 0, 1).squeeze_dim::<2>(1),
            Self::LastToken => last_token(hidden, mask),
            Self::Max => {
                // far below any value, where there is padding
                let padding = (mask.unsqueeze_dim::<3>(2) - 1.0) * 1e9; // [batch, tokens, 1]
                (hidden + padding).max_dim(1).squeeze_dim::<2>(1)
            }
            Self::WeightedMean => {
                let places = Tensor::<1, Int>::arange(1..tokens as i64 + 1, &mask.device());
                masked_mean(hidden, mask * places.float().unsqueeze_dim::<2>(0))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn both_ways_of_writing_it_are_read() {
        use SentencePooling::{Cls, LastToken, Max, Mean, WeightedMean};
        for (settings, pooling) in [
            (
                r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#,
                Some(Cls),
            ),
            (r#"{"pooling_mode": "cls"}"#, Some(Cls)),
            (r#"{"pooling_mode_mean_tokens": true}"#, Some(Mean)),
            (r#"{"pooling_mode_mean_sqrt_len_tokens": true}"#, Some(Mean)),
            (r#"{"pooling_mode_max_tokens": true}"#, Some(Max)),
            (r#"{"pooling_mode_lasttoken": true}"#, Some(LastToken)),
            (r#"{"pooling_mode": "lasttoken"}"#, Some(LastToken)),
            (
                r#"{"pooling_mode_weightedmean_tokens": true}"#,
                Some(WeightedMean),
            ),
            (
                r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#,
                None,
            ),
            (r#"{"pooling_mode": "attention"}"#, None),
            ("{}", None),
        ] {
            let found = SentencePooling::read("p", settings.as_bytes()).unwrap();
            assert_eq!(found, pooling, "{settings}");
        }
        assert!(SentencePooling::read("p", b"{").is_err());
        let modules = br#"[{"type": "a.Transformer", "path": ""}, {"type": "b.Pooling", "path": "2_P"}, {"type": "b.Pooling", "path": "3_P"}]"#;
        assert_eq!(SentencePooling::file(Some(modules)), "2_P/config.json");
        assert_eq!(SentencePooling::file(Some(b"[]")), "1_Pooling/config.json");
    }

    #[test]
    fn padding_counts_nowhere() {
        let device = Device::default();
        let values = vec![3.0f32, 4.0, 0.0, 2.0, 9.0, 9.0];
        let hidden = Tensor::<3>::from_data(TensorData::new(values, [1, 3, 2]), &device);
        let mask = Tensor::<2>::from_data(TensorData::new(vec![1.0f32, 1.0, 0.0], [1, 3]), &device);
        let of = |pooling: SentencePooling| {
            let found = pooling.vectors(hidden.clone(), mask.clone()).into_data();
            found.try_to_vec::<f32>().unwrap()
        };
        for (pooling, direction) in [
            (SentencePooling::Mean, [1.5, 3.0]),
            (SentencePooling::Cls, [3.0, 4.0]),
            (SentencePooling::LastToken, [0.0, 2.0]),
            (SentencePooling::Max, [3.0, 4.0]),
            (SentencePooling::WeightedMean, [1.0, 8.0 / 3.0]),
        ] {
            let length = f32::hypot(direction[0], direction[1]);
            for (found, expected) in of(pooling).iter().zip(direction) {
                assert!((found - expected / length).abs() < 1e-6, "{pooling:?}");
            }
        }
    }
}
