/** What was loaded and where it runs, as a list of facts. */
import type { DeviceReport } from "webtune";
import { count } from "../../ui/format";
import type { ModelInfo } from "../task";
import { storageNames } from "../weight-storages";
import "./model-facts.css";

export const deviceName = (report: DeviceReport): string => (report.device === "webgpu" ? "WebGPU" : "CPU engine");

/** How many cores compute, where that is known. */
export function coresOf({ device, workers, cores }: DeviceReport): string | undefined {
  return device === "cpu" && cores !== undefined ? `${workers} of ${cores} cores` : undefined;
}

function adapterName({ adapter }: DeviceReport): string | undefined {
  if (!adapter) return undefined;
  const name = [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" ") || "unnamed";
  return adapter.isFallback ? `${name} (software)` : name;
}

interface Props {
  info: ModelInfo;
  report: DeviceReport;
  /** After the name of the storage format. */
  weights?: string;
  more?: [name: string, value: string][];
  help?: string;
}

export function ModelFacts({ info, report, weights = "", more = [], help }: Props) {
  const adapter = adapterName(report);
  const cores = coresOf(report);
  const facts: [string, string][] = [
    ["Family", info.family],
    ["Parameters", count(info.parameters)],
    ["Frozen weights", `${storageNames[info.storage]}${weights}`],
    ["Layers × width", `${info.layers} × ${info.hiddenSize}`],
    ["Vocabulary", count(info.vocabSize)],
    ["Longest text", `${count(info.maxPositions)} tokens`],
    ...more,
    ...(cores ? [["Computes on", cores] as [string, string]] : []),
    ...(adapter ? [["WebGPU adapter", adapter] as [string, string]] : []),
  ];
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
      {help ? <p class="help">{help}</p> : null}
    </div>
  );
}
