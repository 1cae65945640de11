//! Makes the parity table of every method and safeguard on a device, a line per group; fails if one is too far off.

use webtune::device::Compute;

use super::{causal, choices, parity, pissa, safeguards};

/// Lines for a log; `engine` names the device in them.
pub async fn rows(compute: &Compute, engine: &str) -> String {
    let mut lines = Vec::new();
    for fixture in parity::methods().into_iter().chain(parity::decoders()) {
        let errors = parity::errors(&fixture, compute).await;
        lines.push(parity::check(fixture.name, engine, &errors));
    }
    for fixture in causal::fixtures().into_iter().chain(causal::quantized()) {
        let errors = causal::errors(&fixture, compute).await;
        lines.push(parity::check(fixture.name, engine, &errors));
    }
    let errors = choices::errors(compute).await;
    lines.push(parity::check("label likelihood", engine, &errors));
    let errors = safeguards::errors(compute).await;
    lines.push(parity::check("safeguards", engine, &errors));
    lines.push(parity::check(
        "pissa",
        engine,
        &pissa::errors(compute).await,
    ));
    lines.join("\n")
}
