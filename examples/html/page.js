/** Trains a classifier on the rows of the page, asks it for a label, and saves its adapter's weights. */
import { parseExamples, TextClassifier } from "webtune";

const at = (id) => document.getElementById(id);
let classifier;
let run;

/** Shows what went wrong where the person looks. */
async function guarded(output, work) {
  try {
    await work();
  } catch (error) {
    output.textContent = error.message;
  }
}

at("train").addEventListener("click", () =>
  guarded(at("progress"), async () => {
    at("train").disabled = true;
    try {
      const { rows } = await parseExamples(at("rows").value, "the rows");
      // A model that was loaded before gives its memory back.
      classifier?.dispose();
      at("progress").textContent = "loading the model";
      classifier = await TextClassifier.load({ files: at("model").files });
      run = classifier.train(rows);
      at("stop").disabled = false;
      for await (const event of run) {
        if (event.type === "step") at("progress").textContent = `step ${event.step} of ${event.totalSteps}`;
        if (event.type === "finished") at("progress").textContent = event.verdict;
      }
      for (const id of ["ask", "save"]) at(id).disabled = false;
    } finally {
      at("train").disabled = false;
      at("stop").disabled = true;
    }
  }),
);

at("stop").addEventListener("click", () => run.stop());

at("ask").addEventListener("click", () =>
  guarded(at("answer"), async () => {
    const [{ label, probabilities }] = await classifier.predict([at("text").value]);
    at("answer").textContent = `${label} (${(100 * Math.max(...probabilities)).toFixed(0)}%)`;
  }),
);

at("save").addEventListener("click", () =>
  guarded(at("answer"), async () => {
    for (const { path, bytes } of await classifier.export()) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([bytes]));
      link.download = path;
      link.click();
      URL.revokeObjectURL(link.href);
    }
  }),
);
