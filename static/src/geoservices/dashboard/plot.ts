/** The curve of a site over time, by uPlot: value with its band, nominal values, other years, alerts. */
import uPlot, { type AlignedData } from 'uplot';
import uplotCss from 'uplot/dist/uPlot.min.css';

import { h } from '../../dom';
import { locale } from '../../language';
import { addSheet } from '../../sheets';
import { colour, nameOf } from './colours';
import { counts, nominalSpans, otherYears, rangeOf, standingOf, valueSpans, type Observation, type Span } from './observation';

addSheet(uplotCss);

/** A time during which an alert was on. */
export interface Mark {
  from: number;
  until: number;
  severity: number;
}

export interface Drawn {
  /** All that there are; what lies outside the axis is what other years are learned from. */
  observations: readonly Observation[];
  /** Ends of the axis, seconds since 1970. */
  from: number;
  to: number;
  alerts: readonly Mark[];
}

export interface PlotEvents {
  /** The pointer is at an observation of those with a value, by its place among them. */
  point: (index: number) => void;
  choose: (index: number) => void;
}

const DOT = 3.5;
/** Dates that are hardly clear are still seen. */
const FAINTEST = 0.3;

type Draw = (plot: uPlot) => void;

/** Draws without leaving traces in the canvas's state, inside the axes alone. */
function inside(plot: uPlot, draw: (context: CanvasRenderingContext2D) => void): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(ctx);
  ctx.restore();
}

/** An area between edges; an open edge lies at the end of the plot. */
function area(plot: uPlot, spans: readonly Span[], fill: string): void {
  const { top, height } = plot.bbox;
  const x = ({ at }: Span): number => plot.valToPos(at, 'x', true);
  const y = (value: number | null, open: number): number => (value === null ? open : plot.valToPos(value, 'y', true));
  inside(plot, (ctx) => {
    ctx.fillStyle = fill;
    ctx.beginPath();
    for (const each of spans) ctx.lineTo(x(each), y(each.high, top));
    for (const each of [...spans].reverse()) ctx.lineTo(x(each), y(each.low, top + height));
    ctx.fill();
  });
}

function edge(plot: uPlot, spans: readonly Span[], which: 'low' | 'high', stroke: string): void {
  inside(plot, (ctx) => {
    ctx.strokeStyle = stroke;
    ctx.lineWidth = 1.25 * devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    for (const each of spans) {
      const value = each[which];
      if (value !== null) ctx.lineTo(plot.valToPos(each.at, 'x', true), plot.valToPos(value, 'y', true));
    }
    ctx.stroke();
  });
}

/** A span of one date has a width, too. */
const widened = (spans: readonly Span[]): readonly Span[] => {
  const [only] = spans;
  return only && spans.length === 1 ? [{ ...only, at: only.at - 86_400 }, { ...only, at: only.at + 86_400 }] : spans;
};

function behind({ observations, alerts }: Drawn): Draw[] {
  const pieces = nominalSpans(observations).map(widened);
  const ribbon = otherYears(observations);
  return [
    (plot) => alerts.forEach((mark) => alert(plot, mark)),
    (plot) => area(plot, ribbon, colour('--ribbon')),
    (plot) => pieces.forEach((spans) => area(plot, spans, colour('--nominal-band'))),
    (plot) => pieces.forEach((spans) => (['low', 'high'] as const).forEach((which) => edge(plot, spans, which, colour('--nominal-edge')))),
    (plot) => area(plot, valueSpans(observations), colour('--value-band')),
  ];
}

/** A flag over the time during which an alert was on. */
function alert(plot: uPlot, { from, until, severity }: Mark): void {
  const ratio = devicePixelRatio;
  const [left, right] = [plot.valToPos(from, 'x', true), plot.valToPos(until, 'x', true)];
  const { top, height } = plot.bbox;
  inside(plot, (ctx) => {
    ctx.fillStyle = colour('--alert-time');
    ctx.fillRect(left - 2 * ratio, top, Math.max(4 * ratio, right - left + 4 * ratio), height);
    ctx.fillStyle = colour('--danger');
    ctx.beginPath();
    ctx.moveTo(left - 2 * ratio, top);
    ctx.lineTo(left + (8 + 2 * severity) * ratio, top + 5 * ratio);
    ctx.lineTo(left - 2 * ratio, top + 10 * ratio);
    ctx.fill();
  });
}

/** Dots: filled where the date counts, the fainter the less clear; a triangle that points where the value is outside. */
function dots(plot: uPlot, shown: readonly Observation[]): void {
  const ratio = devicePixelRatio;
  inside(plot, (ctx) => {
    ctx.lineWidth = 1.5 * ratio;
    for (const one of shown) {
      const [x, y] = [plot.valToPos(one.date.getTime() / 1000, 'x', true), plot.valToPos(one.value ?? 0, 'y', true)];
      const standing = standingOf(one);
      ctx.globalAlpha = one.clear === null ? 1 : FAINTEST + (1 - FAINTEST) * one.clear;
      ctx.fillStyle = ctx.strokeStyle = colour(standing.kind === 'outside' ? nameOf(standing) : counts(one) ? '--curve' : '--muted');
      ctx.beginPath();
      if (standing.kind === 'outside') {
        const way = (standing.side === 'low' ? 1 : -1) * ratio;
        ctx.moveTo(x, y + 7 * way);
        ctx.lineTo(x - 6 * ratio, y - 4 * way);
        ctx.lineTo(x + 6 * ratio, y - 4 * way);
      } else ctx.arc(x, y, DOT * ratio, 0, 2 * Math.PI);
      if (counts(one)) ctx.fill();
      else ctx.stroke();
    }
  });
}

function axes(): uPlot.Axis[] {
  const line = { stroke: colour('--line'), width: 1 };
  const common = { stroke: colour('--muted'), font: '12px system-ui', grid: line, ticks: { ...line, size: 4 } };
  const month = new Intl.DateTimeFormat(locale, { month: 'short', year: 'numeric', timeZone: 'UTC' });
  const value = (split: number): string => split.toLocaleString(locale, { maximumSignificantDigits: 3 });
  return [
    { ...common, space: 70, size: 28, values: (_, splits) => splits.map((split) => month.format(split * 1000)) },
    { ...common, size: 48, values: (_, splits) => splits.map(value) },
  ];
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

  /** `shown`: what the axis has room for, with a value each. */
  show(drawn: Drawn, shown: readonly Observation[]): void {
    this.#plot?.destroy();
    const times = shown.map(({ date }) => date.getTime() / 1000);
    const clear = shown.map((one) => (counts(one) ? one.value : null));
    const options: uPlot.Options = {
      ...this.#extent(),
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), 'UTC'),
      padding: [14, 20, 4, 0],
      series: [{}, { stroke: colour('--curve'), width: 1.5, spanGaps: true, points: { show: false } }],
      axes: axes(),
      scales: { x: { time: true, range: [drawn.from, drawn.to] }, y: { range: rangeOf(shown) } },
      legend: { show: false },
      // uPlot takes a click near an edge, where it snaps, for a drag, and by default keeps it to itself
      cursor: { drag: { x: false, y: false, click: () => undefined }, y: false, points: { show: () => h('div', { class: 'plot-pointer' }) } },
      hooks: {
        drawAxes: behind(drawn),
        draw: [(plot) => dots(plot, shown), (plot) => this.#drawMark(plot)],
        setCursor: [({ cursor }) => this.#at(cursor.idx, this.#events.point)],
      },
    };
    this.#plot = new uPlot(options, [times, clear] as AlignedData, this.#root);
    this.#plot.over.addEventListener('click', () => this.#at(this.#plot?.cursor.idx, this.#events.choose));
  }

  /** Draws a line at a moment, seconds since 1970. */
  mark(at: number | null): void {
    this.#marked = at;
    this.#plot?.redraw(false);
  }

  close(): void {
    this.#size.disconnect();
    this.#plot?.destroy();
    this.#plot = null;
  }

  #at(index: number | null | undefined, tell: (index: number) => void): void {
    if (index !== null && index !== undefined) tell(index);
  }

  #drawMark(plot: uPlot): void {
    const at = this.#marked;
    if (at === null) return;
    const { top, height } = plot.bbox;
    inside(plot, (ctx) => {
      ctx.strokeStyle = colour('--accent');
      ctx.lineWidth = 1.5 * devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(plot.valToPos(at, 'x', true), top);
      ctx.lineTo(plot.valToPos(at, 'x', true), top + height);
      ctx.stroke();
    });
  }

  #extent(): { width: number; height: number } {
    const width = Math.max(240, this.#root.clientWidth);
    return { width, height: Math.min(320, Math.max(210, Math.round(width * 0.42))) };
  }
}
