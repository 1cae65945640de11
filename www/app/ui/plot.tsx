/** A live plot of series over steps, and the same in words below it. */
import { useEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./plot.css";

export interface Series {
  name: string;
  /** A colour of the style sheet, `--series-1`. */
  color: string;
  values: (number | null)[];
  /** Draws a dot at every value. */
  dots?: boolean;
  /** Draws a dashed line, for a value that does not change. */
  dashed?: boolean;
}

interface Props {
  title: string;
  /** What the plot shows, in one or two sentences. */
  summary: string;
  steps: number[];
  series: Series[];
  format: (value: number) => string;
  /** The last step of the run, so that the plot fills from left to right. */
  lastStep: number;
  /** Fixed ends of the vertical axis. */
  range?: [number, number];
  testId: string;
}

const HEIGHT = 170;
const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function Plot({ title, summary, steps, series, format, lastStep, range, testId }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = useMemo(
    () => [steps, ...series.map((one) => one.values)] as unknown as uPlot.AlignedData,
    [steps, series],
  );
  const latest = useRef({ data, series, format, lastStep, range });
  latest.current = { data, series, format, lastStep, range };
  const names = series.map((one) => `${one.name} ${one.color}`).join("|");

  // Other names or colours need another plot; the rest flows through `latest`.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        options(element, latest.current, () => latest.current),
        latest.current.data,
        element,
      );
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    dark.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names]);

  useEffect(() => plot.current?.setData(data), [data]);

  return (
    <figure class="plot" data-testid={testId}>
      <h4>{title}</h4>
      <div ref={box} class="plot-box" role="img" aria-label={`${title}. ${summary}`} />
      <figcaption>
        {series.length > 1 ? (
          <span class="legend" aria-hidden="true">
            {series.map((one) => (
              <span
                key={`${one.color} ${one.name}`}
                class={`${one.color.slice(2)}${one.dashed ? " legend-dashed" : ""}`}
              >
                {one.name}
              </span>
            ))}
          </span>
        ) : null}
        <span class="muted figures">{summary}</span>
      </figcaption>
    </figure>
  );
}

interface Latest {
  series: Series[];
  format: (value: number) => string;
  lastStep: number;
  range?: [number, number] | undefined;
}

function options(element: HTMLElement, now: Latest, latest: () => Latest): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: color("--muted"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: () => [0, Math.max(1, latest().lastStep)] },
      y: {
        range: (_, low, high) => {
          const fixed = latest().range;
          if (fixed) return fixed;
          const top = high > 0 ? high * 1.08 : 1;
          return [Math.min(0, low), top];
        },
      },
    },
    axes: [
      { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000], size: 28 },
      { ...axis, size: 58, values: (_, splits) => splits.map((value) => latest().format(value)) },
    ],
    series: [
      {},
      ...now.series.map((one) => ({
        stroke: color(one.color),
        width: one.dashed ? 1.5 : 2,
        spanGaps: true,
        ...(one.dashed ? { dash: [5, 4] } : {}),
        points: one.dots ? { show: true, size: 7, fill: color(one.color) } : { show: false },
      })),
    ],
  };
}
