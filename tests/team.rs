//! Several engines that make one run: to the last bit the run of one engine, whatever their number, and whoever of them is lost.

#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use common::every::{classifiers, exported, facts, language_models, quick};
use common::loops::{classifier, classify, language, language_model};
use common::{tiny, tiny_language};
use pollster::block_on;
use serde_json::{Value, json};
use webtune::export::{ExportedFile, Model};
use webtune::tasks::classify::{ClassifyTask, UserOptions};
use webtune::team::{Later, Team, Wire};
use webtune::train::run::Run;
use webtune::train::task::Task;

/// Between the first member and one other.
#[derive(Debug, Default)]
struct Pair {
    up: RefCell<VecDeque<Vec<u8>>>,
    down: RefCell<VecDeque<Vec<u8>>>,
    lost: Cell<bool>,
}

#[derive(Debug)]
enum End {
    First(Vec<Rc<Pair>>),
    Other(Rc<Pair>),
}

impl End {
    fn pairs(&self) -> &[Rc<Pair>] {
        match self {
            Self::First(pairs) => pairs,
            Self::Other(_) => panic!("only the first member gathers and tells"),
        }
    }
}

async fn next(queue: &RefCell<VecDeque<Vec<u8>>>, lost: &Cell<bool>) -> Option<Vec<u8>> {
    poll_fn(|_| match queue.borrow_mut().pop_front() {
        Some(bytes) => Poll::Ready(Some(bytes)),
        None if lost.get() => Poll::Ready(None),
        None => Poll::Pending,
    })
    .await
}

impl Wire for End {
    fn gather(&self) -> Later<'_, Vec<Option<Vec<u8>>>> {
        Box::pin(async {
            let mut all = Vec::new();
            for pair in self.pairs() {
                all.push(next(&pair.up, &pair.lost).await);
            }
            Ok(all)
        })
    }

    fn tell(&self, bytes: &[u8]) -> webtune::Result<()> {
        for pair in self.pairs() {
            pair.down.borrow_mut().push_back(bytes.to_vec());
        }
        Ok(())
    }

    fn swap(&self, bytes: &[u8]) -> Later<'_, Vec<u8>> {
        let Self::Other(pair) = self else {
            panic!("the first member gathers");
        };
        pair.up.borrow_mut().push_back(bytes.to_vec());
        Box::pin(async { Ok(next(&pair.down, &Cell::new(false)).await.unwrap()) })
    }
}

/// What each of `size` members makes of `work`. `loses`: a member is lost once it has been asked to go on this many times.
fn together<R>(
    size: usize,
    loses: Option<(usize, usize)>,
    work: impl AsyncFn(Team) -> R,
) -> Vec<Option<R>> {
    let pairs = (1..size).map(|_| Rc::default()).collect::<Vec<Rc<Pair>>>();
    let end = |rank: usize| match rank {
        0 => End::First(pairs.clone()),
        rank => End::Other(pairs[rank - 1].clone()),
    };
    let work = &work;
    let mut members = (0..size).map(|rank| {
        let team = Team::new(rank, size, Rc::new(end(rank)));
        Some(Box::pin(async move { work(team).await }) as Pin<Box<dyn Future<Output = R> + '_>>)
    });
    let mut members = members.by_ref().collect::<Vec<_>>();
    let mut found = (0..size).map(|_| None).collect::<Vec<_>>();
    let mut turn = 0;
    while members.iter().any(Option::is_some) {
        turn += 1;
        assert!(turn < 100_000, "they wait for each other");
        for (rank, place) in members.iter_mut().enumerate() {
            if loses == Some((rank, turn)) {
                pairs[rank - 1].lost.set(true);
                *place = None;
            }
            let Some(member) = place else { continue };
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(result) = member.as_mut().poll(&mut context) {
                found[rank] = Some(result);
                *place = None;
            }
        }
    }
    found
}

type Outcome = (Vec<Value>, Vec<ExportedFile>);

/// The events and files of a run. Those of the work before training differ: they say how much of it is done, and several parts are done at a time.
async fn outcome<M, T>(model: &M, task: T) -> Outcome
where
    M: Model,
    T: Task<Tuned = M::Tuned>,
{
    let mut run = Run::new(task);
    let mut events = Vec::new();
    while let Some(event) = run.next_event().await.unwrap() {
        events.push(facts::<T>(&event));
    }
    events.retain(|event| event["type"] != "progress");
    (events, exported(model, &run.take_tuned().unwrap()))
}

fn same(what: &str, alone: &Outcome, together: &Outcome) {
    for (expected, found) in alone.0.iter().zip(&together.0) {
        assert_eq!(found, expected, "{what}");
    }
    assert_eq!(alone.0.len(), together.0.len(), "{what}");
    assert!(alone.1 == together.1, "{what}: other files");
}

/// Makes a run alone, and in teams of 2, 3 and 8. `by_clock`: its epochs are what the first member's clock says.
fn any_number(what: &str, by_clock: bool, work: impl AsyncFn(Team) -> Outcome) {
    let alone = block_on(work(Team::default()));
    for size in [2, 3, 8] {
        let found = together(size, None, &work);
        let found = found.into_iter().map(Option::unwrap).collect::<Vec<_>>();
        let expected = if by_clock { &found[0] } else { &alone };
        for member in &found {
            same(&format!("{what}, {size}"), expected, member);
        }
    }
    if by_clock {
        return;
    }
    // lost at the start, within the work before training, and within the steps
    for turn in [1, 3, 9, 20] {
        let found = together(3, Some((1, turn)), &work);
        let first = found[0].as_ref().unwrap();
        same(&format!("{what}, one lost in turn {turn}"), &alone, first);
    }
}

/// With several batches in a step, so that there are parts to share.
fn in_parts(mut options: Value) -> Value {
    options["gradientAccumulationSteps"] = json!(3);
    options
}

/// One test: what a process draws at random is one stream.
#[test]
fn a_run_is_the_same_by_any_number_of_engines() {
    classifiers_are_the_same();
    language_models_are_the_same();
}

fn classifiers_are_the_same() {
    let model = classifier();
    for options in classifiers() {
        let by_clock = options["numTrainEpochs"].is_null();
        let options = in_parts(options);
        any_number(&options.to_string(), by_clock, async |team| {
            let mut model = model.clone();
            model.compute.team = team;
            let task = classify(&model, 36, options.clone());
            outcome(&model, task).await
        });
    }
    let rows = tiny::several(40);
    let options = in_parts(quick(
        json!({"method": {"type": "lora", "loraDropout": 0.2}}),
    ));
    any_number("several labels", false, async |team| {
        let mut model = model.clone();
        model.compute.team = team;
        let options = UserOptions::parse(options.clone()).unwrap();
        let task = ClassifyTask::new(&model, &rows, options).unwrap();
        outcome(&model, task).await
    });
}

fn language_models_are_the_same() {
    let model = language_model();
    let rows = tiny_language::rows(24);
    for options in language_models().into_iter().map(in_parts) {
        any_number(&options.to_string(), false, async |team| {
            let mut model = model.clone();
            model.compute.team = team;
            outcome(&model, language(&model, &rows, options.clone())).await
        });
    }
}
