//! One function for each kind of foreign input, which reads it as the engine does and uses what it got: the fuzz targets and the property tests
//! call the same ones. An error is a good answer; nothing may panic.

pub mod files;
pub mod options;
pub mod runs;
pub mod text;

// what both need of the other tests
#[allow(dead_code)]
#[path = "../../common/tiny.rs"]
mod tiny;
#[allow(dead_code)]
#[path = "../../common/tiny_language.rs"]
mod tiny_language;

use pollster::block_on;
use webtune::device::Compute;
use webtune::layers::Storage;
use webtune::tasks::classify::model::Pretrained;
use webtune::tasks::language::model::LanguageModel;

thread_local! {
    static CLASSIFIER: Pretrained = block_on(tiny::model(&compute()));
    static LANGUAGE: LanguageModel = block_on(tiny_language::model(&compute(), Storage::F32));
}

/// A small engine: what would take more memory than a property test allows has to be refused.
pub fn compute() -> Compute {
    Compute::cpu().with_memory_limit(48 << 20)
}
