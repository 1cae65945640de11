//! A JavaScript object that carries bytes between engines, as a [`Wire`].

use std::fmt::{Debug, Formatter};
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::convert::words;
use crate::team::{Later, Team, Wire};
use crate::{Error, Result};

#[wasm_bindgen]
extern "C" {
    /// `LeadWire` of www/lib/worker/engine.ts for the first engine, `MemberWire` for the others.
    pub type TeamWire;

    #[wasm_bindgen(method, catch)]
    async fn gather(this: &TeamWire) -> std::result::Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn tell(this: &TeamWire, bytes: Uint8Array) -> std::result::Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn swap(this: &TeamWire, bytes: Uint8Array) -> std::result::Result<JsValue, JsValue>;
}

/// The way on the other side of the border.
struct JsWire(TeamWire);

impl Debug for JsWire {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JsWire")
    }
}

fn failed(thrown: JsValue) -> Error {
    Error::internal(format!("engines that work together: {}", words(&thrown)))
}

fn bytes(value: JsValue) -> Result<Vec<u8>> {
    let bytes = value.dyn_into::<Uint8Array>().map_err(failed)?;
    Ok(bytes.to_vec())
}

impl Wire for JsWire {
    fn gather(&self) -> Later<'_, Vec<Option<Vec<u8>>>> {
        Box::pin(async {
            let all: Array = (self.0.gather().await.map_err(failed)?).unchecked_into();
            let sent = |value: JsValue| {
                let value = (!value.is_undefined()).then_some(value);
                value.map(bytes).transpose()
            };
            all.iter().map(sent).collect()
        })
    }

    fn tell(&self, bytes: &[u8]) -> Result<()> {
        self.0.tell(Uint8Array::from(bytes)).map_err(failed)
    }

    fn swap(&self, sent: &[u8]) -> Later<'_, Vec<u8>> {
        let sent = Uint8Array::from(sent);
        Box::pin(async { bytes(self.0.swap(sent).await.map_err(failed)?) })
    }
}

/// Member `rank` of `size` engines.
pub fn team(rank: usize, size: usize, wire: TeamWire) -> Team {
    Team::new(rank, size, Rc::new(JsWire(wire)))
}
