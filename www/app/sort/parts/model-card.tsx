/**
 * Enters: what was loaded and where it runs. Leaves: the facts of both.
 */
import type { DeviceReport, ModelInfo } from "webtune";
import { storageNames } from "../../desk/weight-storages";
import { count } from "../../ui/format";
import "../../desk/parts/model-facts.css";

export const deviceName = (report: DeviceReport): string => (report.device === "webgpu" ? "WebGPU" : "CPU engine");

/** The WebGPU adapter by its own words; undefined where none was found. */
export function adapterWords({ adapter }: DeviceReport): string | undefined {
  if (!adapter) return undefined;
  const name = [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" ") || "unnamed";
  return adapter.isFallback ? `${name} (software)` : name;
}

export function ModelCard({ info, report }: { info: ModelInfo; report: DeviceReport }) {
  const adapter = adapterWords(report);
  return (
    <div class="facts" data-testid="model-ready">
      <p class="note note-good">
        <strong data-testid="model-name">{info.name}</strong> is ready on the{" "}
        <strong data-testid="device-name">{deviceName(report)}</strong>.{" "}
        <span data-testid="device-reason">{report.reason}</span>
      </p>
      <dl>
        <div>
          <dt>Family</dt>
          <dd>{info.family.toUpperCase()}</dd>
        </div>
        <div>
          <dt>Parameters</dt>
          <dd>{count(info.parameters)}</dd>
        </div>
        <div>
          <dt>Frozen weights</dt>
          <dd>{storageNames[info.storage]}</dd>
        </div>
        <div>
          <dt>Layers × width</dt>
          <dd>
            {info.layers} × {info.hiddenSize}
          </dd>
        </div>
        <div>
          <dt>Vocabulary</dt>
          <dd>{count(info.vocabSize)}</dd>
        </div>
        <div>
          <dt>Longest text</dt>
          <dd>{count(info.maxPositions)} tokens</dd>
        </div>
        {adapter ? (
          <div>
            <dt>WebGPU adapter</dt>
            <dd>{adapter}</dd>
          </div>
        ) : null}
      </dl>
      <p class="help">{info.defaultHeadReason}</p>
    </div>
  );
}
