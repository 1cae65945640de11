/**
 * Enters: what was loaded and where it runs. Leaves: the facts of both.
 */
import type { DeviceReport, LanguageModelInfo } from "webtune";
import { storageNames } from "../../desk/weight-storages";
import { adapterWords, deviceName } from "../../sort/parts/model-card";
import { bytes, count } from "../../ui/format";
import "../../desk/parts/model-facts.css";

export function LanguageModelCard({ info, report }: { info: LanguageModelInfo; report: DeviceReport }) {
  const facts: [string, string][] = [
    ["Family", info.family],
    ["Parameters", count(info.parameters)],
    ["Frozen weights", `${storageNames[info.storage]}, ${bytes(info.weightBytes)}`],
    ["Layers × width", `${info.layers} × ${info.hiddenSize}`],
    ["Vocabulary", count(info.vocabSize)],
    ["Longest text", `${count(info.maxPositions)} tokens`],
    ["Conversations", info.ownTemplate ? "by its own template" : "by ChatML, as it brings no template"],
  ];
  const adapter = adapterWords(report);
  if (adapter) facts.push(["WebGPU adapter", adapter]);
  return (
    <div class="facts" data-testid="model-ready">
      <p class="note note-good">
        <strong data-testid="model-name">{info.name}</strong> is ready on the{" "}
        <strong data-testid="device-name">{deviceName(report)}</strong>.{" "}
        <span data-testid="device-reason">{report.reason}</span>
      </p>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
