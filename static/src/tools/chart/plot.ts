/** The chart itself, by uPlot: lines with the band in which the true value lies, and cloudy dates faint. */
import uPlot, { type AlignedData, type Axis, type Series } from 'uplot';

import { h } from '../../dom';
import { locale } from '../../language';
import { edgeOf, valuesOf, type Extreme, type Line, type Lines } from './curve';
import type { Observation } from './series';

export interface Shown extends Lines {
  /** Whether the axis is one year, of any year. */
  years: boolean;
  /** Unit of a style, which has an axis of its own. */
  unit: (style: string) => string;
  /** The date that the map shows, if it lies on the axis: seconds. */
  marked: number | null;
  /** Of the first line. */
  extremes: readonly Extreme[];
}

export interface PlotEvents {
  /** The pointer is at a place of the axis, or at none. */
  point: (index: number | null) => void;
  choose: (index: number) => void;
}

/** Colours that the colour-blind tell apart (Okabe and Ito 2008), dark enough on white and light enough on dark. */
export const COLOURS = ['#0079c0', '#d55e00', '#009e73', '#cc6699', '#b58900', '#4aa3df', '#8a6fd1', '#7a7a7a'] as const;
const BAND = '4d'; // opacity of the band, as the last two digits of a colour
/** A curve of fewer dates shows each as a dot. */
const DOTS = 200;
const PARTS = 4; // series of a line: values, upper and lower edge, cloudy values

export const colourOf = (index: number): string => COLOURS[index % COLOURS.length] ?? COLOURS[0];

/** Columns for uPlot: times, then the parts of each line. */
export function columns({ times, lines }: Lines): (number | null)[][] {
  return [times, ...lines.flatMap((line) => [valuesOf(line, false), edgeOf(line, 1), edgeOf(line, -1), valuesOf(line, true)])];
}

function seriesOf(line: Line, index: number, scale: string): Series[] {
  const stroke = colourOf(index);
  const dots = line.observations.length <= DOTS;
  return [
    { label: line.label, scale, stroke, width: 1.75, spanGaps: true, points: { show: dots, size: 5, fill: stroke } },
    { scale, stroke: 'transparent', width: 0, spanGaps: true, points: { show: false } },
    { scale, stroke: 'transparent', width: 0, spanGaps: true, points: { show: false } },
    { scale, stroke: style('--muted'), width: 0, paths: () => null, points: { show: true, size: 7, width: 1.5, stroke: style('--muted'), fill: 'transparent' } },
  ];
}

/** A dot that follows the pointer on the values of a line; none on its other parts. */
const pointer = (series: number): HTMLElement | null =>
  series % PARTS === 1 ? h('div', { class: 'chart-pointer', style: `background: ${colourOf((series - 1) / PARTS)}` }) : null;

const style = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axes(scales: readonly string[], years: boolean): Axis[] {
  const common = { stroke: style('--muted'), font: '12px system-ui', grid: { stroke: style('--line'), width: 1 }, ticks: { stroke: style('--line'), width: 1, size: 4 } };
  const parts: Intl.DateTimeFormatOptions = years ? { month: 'short' } : { month: 'short', year: 'numeric' };
  const day = new Intl.DateTimeFormat(locale, { ...parts, timeZone: 'UTC' });
  const time: Axis = { ...common, space: 70, size: 28, values: (_, splits) => splits.map((split) => day.format(split * 1000)) };
  const values = scales.map((scale, index): Axis => ({
    ...common,
    scale,
    size: 48,
    side: index === 0 ? 3 : 1,
    ...(index > 0 && { grid: { show: false } }),
    values: (_, splits) => splits.map((split) => split.toLocaleString(locale, { maximumSignificantDigits: 3 })),
  }));
  return [time, ...values];
}

/** A line at the date that the map shows. */
function mark(plot: uPlot, at: number): void {
  const x = plot.valToPos(at, 'x', true);
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = style('--accent');
  ctx.setLineDash([4, 4]);
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

/** A triangle over the highest value, or under the lowest, as in the words beside it: up for high, down for low. */
function markExtreme(plot: uPlot, { kind, index, value }: Extreme, scale: string): void {
  const { ctx, data } = plot;
  const [x, y] = [plot.valToPos(data[0][index] ?? 0, 'x', true), plot.valToPos(value, scale, true)];
  const up = (kind === 'highest' ? -1 : 1) * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = style('--text');
  ctx.beginPath();
  ctx.moveTo(x, y + 12 * up);
  ctx.lineTo(x - 5 * devicePixelRatio, y + 5 * up);
  ctx.lineTo(x + 5 * devicePixelRatio, y + 5 * up);
  ctx.fill();
  ctx.restore();
}

export class Plot {
  readonly #root: HTMLElement;
  readonly #events: PlotEvents;
  readonly #size: ResizeObserver;
  #plot: uPlot | null = null;
  #marked: number | null = null;

  constructor(root: HTMLElement, events: PlotEvents) {
    this.#root = root;
    this.#events = events;
    this.#size = new ResizeObserver(() => this.#plot?.setSize(this.#extent()));
    this.#size.observe(root);
  }

  show(shown: Shown): void {
    this.clear();
    this.#marked = shown.marked;
    const scales = [...new Set(shown.lines.map((line) => `y ${shown.unit(line.style)}`))];
    const lines = shown.lines.flatMap((line, index) => seriesOf(line, index, `y ${shown.unit(line.style)}`));
    const bands = shown.lines.map((_, index): uPlot.Band => ({
      series: [index * PARTS + 2, index * PARTS + 3],
      fill: colourOf(index) + BAND,
    }));
    // uPlot takes a click near an edge, where it snaps, for a drag, and by default keeps it to itself
    const options: uPlot.Options = {
      ...this.#extent(),
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), 'UTC'),
      padding: [14, 28, 8, 0], // for half a label of the axis, and for triangles
      series: [{}, ...lines],
      bands,
      axes: axes(scales, shown.years),
      scales: { x: { time: true } },
      legend: { show: false },
      cursor: { drag: { x: false, y: false, click: () => undefined }, y: false, points: { show: (_, index) => pointer(index) as HTMLElement } },
      hooks: {
        setCursor: [({ cursor }) => this.#events.point(cursor.idx ?? null)],
        draw: [
          (plot) => this.#marked !== null && mark(plot, this.#marked),
          (plot) => shown.extremes.forEach((each) => markExtreme(plot, each, scales[0] ?? 'y')),
        ],
      },
    };
    this.#plot = new uPlot(options, columns(shown) as AlignedData, this.#root);
    this.#plot.over.addEventListener('click', () => {
      const index = this.#plot?.cursor.idx;
      if (index !== null && index !== undefined) this.#events.choose(index);
    });
  }


  /** Moves the line of the date that the map shows. */
  mark(at: number | null): void {
    this.#marked = at;
    this.#plot?.redraw(false);
  }

  clear(): void {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #extent(): { width: number; height: number } {
    const width = Math.max(200, this.#root.clientWidth);
    return { width, height: Math.min(190, Math.max(150, Math.round(width * 0.5))) };
  }
}

/** Of all lines that have something at a place of the axis: the line and its observation. */
export const at = ({ lines }: Lines, index: number): { line: Line; index: number; observation: Observation }[] =>
  lines.flatMap((line, number) => {
    const observation = line.observations[index];
    return observation ? [{ line, index: number, observation }] : [];
  });
