/** Each layer's learning rate over the steps, as one strip per layer from the head down. */
import { useMemo } from "preact/hooks";
import type { GroupRate } from "webtune";
import { counted, figure } from "../../ui/format";
import { ScrollBox } from "../../ui/scroll-box";
import "./layer-rates.css";

/** Columns of a strip. */
const COLUMNS = 60;

interface Props {
  rates: { step: number; groups: GroupRate[] }[];
  /** The last step of the run, so that strips fill from left to right. */
  lastStep: number;
  testId: string;
}

interface Cell {
  at: number;
  width: number;
  rate: number;
  frozen: boolean;
}

interface Strip {
  name: string;
  cells: Cell[];
  now: string;
  peak: number;
  course: string;
}

export function LayerRates({ rates, lastStep, testId }: Props) {
  const strips = useMemo(() => stripsOf(rates, lastStep), [rates, lastStep]);
  const top = highest(strips.map(({ peak }) => peak));
  if (strips.length === 0) return null;
  return (
    <ScrollBox label="Learning rate of each layer">
      <table class="strips" data-testid={testId}>
        <caption>
          Learning rate of each layer, over {counted(lastStep, "step")}
          <span class="strip-key muted" aria-hidden="true">
            <span class="strip-key-low" /> slow <span class="strip-key-high" /> fast <span class="strip-key-frozen" />{" "}
            frozen
          </span>
        </caption>
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col" class="strip-column">
              <span class="sr-only">Course</span>
            </th>
            <th scope="col" class="number">
              Peak
            </th>
            <th scope="col" class="number extra">
              Last
            </th>
            <th scope="col">Frozen</th>
          </tr>
        </thead>
        <tbody>
          {strips.map(({ name, cells, now, peak, course }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="strip-column">
                <svg
                  class="strip"
                  viewBox={`0 0 ${COLUMNS} 1`}
                  preserveAspectRatio="none"
                  shape-rendering="crispEdges"
                  aria-hidden="true"
                >
                  {cells.map(({ at, width, rate, frozen }) => (
                    <rect
                      key={at}
                      x={at}
                      width={width}
                      height={1}
                      class={frozen ? "strip-frozen" : "strip-rate"}
                      {...(frozen ? {} : { "fill-opacity": shade(rate, top) })}
                    />
                  ))}
                </svg>
              </td>
              <td class="number">{figure(peak)}</td>
              <td class="number extra">{now}</td>
              <td>{course}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}

/** Rates of layers differ by powers, so the shade follows the logarithm; 1/1000 of the highest is the palest. */
function shade(rate: number, top: number): number {
  if (rate <= 0 || top <= 0) return 0.06;
  return Math.max(0.06, 1 + Math.log10(rate / top) / 3);
}

/** Of any number of them: a call takes about 100,000 arguments. */
const highest = (values: readonly number[]): number => values.reduce((top, value) => Math.max(top, value), 0);

function stripsOf(rates: Props["rates"], lastStep: number): Strip[] {
  const names = rates.at(-1)?.groups.map(({ name }) => name) ?? [];
  const length = Math.max(1, lastStep, rates.at(-1)?.step ?? 1);
  return names.reverse().map((name) => {
    const points = rates.flatMap(({ step, groups }) => {
      const group = groups.find((one) => one.name === name);
      return group ? [{ step, ...group }] : [];
    });
    const moving = points.filter(({ frozen }) => !frozen);
    const last = points.at(-1);
    return {
      name,
      cells: cellsOf(points, length),
      now: last?.frozen ? "–" : figure(last?.learningRate ?? 0),
      peak: highest(moving.map(({ learningRate }) => learningRate)),
      course: courseOf(points),
    };
  });
}

function cellsOf(points: ({ step: number } & GroupRate)[], length: number): Cell[] {
  const cells: Cell[] = [];
  let index = 0;
  const end = Math.ceil((COLUMNS * (points.at(-1)?.step ?? 0)) / length);
  for (let column = 0; column < end; column += 1) {
    // The state that holds at the column's right edge.
    const step = ((column + 1) * length) / COLUMNS;
    while (index + 1 < points.length && (points[index + 1]?.step ?? 0) <= step) index += 1;
    const point = points[index];
    if (!point) break;
    const before = cells.at(-1);
    const same = before && before.frozen === point.frozen && (point.frozen || before.rate === point.learningRate);
    if (same) before.width += 1;
    else cells.push({ at: column, width: 1, rate: point.learningRate, frozen: point.frozen });
  }
  return cells;
}

function courseOf(points: ({ step: number } & GroupRate)[]): string {
  const unfrozen = points.find(({ frozen }) => !frozen);
  if (!unfrozen) return points.length > 0 ? "always" : "";
  return points[0]?.frozen ? `until step ${unfrozen.step}` : "never";
}
