/** A small chart of a site's dates: values with their margin, nominal limits, what lies outside, and cloudy dates faint. */
import { h, svg } from '../dom';
import { formatDay } from '../format';
import { locale } from '../language';
import { addSheet } from '../sheets';
import { ticksOf, type Dot } from './dots';
import css from './small-chart.css';

addSheet(css);

const HEIGHT = 190;
const [TOP, BOTTOM, START, END] = [10, 24, 46, 8];

interface Frame {
  x: (at: Date) => number;
  y: (value: number) => number;
  low: number;
  high: number;
}

function frameOf(dots: readonly Dot[], width: number): Frame {
  const values = dots.flatMap(({ value, u, low, high }) => [value - 2 * (u ?? 0), value + 2 * (u ?? 0), ...[low, high].filter((each) => each !== null)]);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least || 1) * 0.06;
  const [low, high] = [least - room, most + room];
  const times = dots.map(({ at }) => at.getTime());
  const [begin, end] = [Math.min(...times), Math.max(...times)];
  return {
    low, high,
    x: (at) => START + ((width - START - END) * (at.getTime() - begin + (end > begin ? 0 : 1))) / (end - begin || 2),
    y: (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low),
  };
}

/** A limit as steps from date to date; a gap where it is not known. */
function limit(dots: readonly Dot[], frame: Frame, side: 'low' | 'high'): SVGElement {
  let path = '';
  let known = false;
  for (const dot of dots.filter(({ faint }) => !faint)) {
    const value = dot[side];
    if (value !== null) path += `${known ? 'L' : 'M'}${frame.x(dot.at).toFixed(1)} ${frame.y(value).toFixed(1)}`;
    known = value !== null;
  }
  return svg('path', { class: 'limit', d: path });
}

function mark(dot: Dot, frame: Frame): SVGElement {
  const [x, y] = [frame.x(dot.at), frame.y(dot.value)];
  const words = `${formatDay(dot.at)}: ${dot.value.toLocaleString(locale, { maximumFractionDigits: 3 })}`;
  const margin = 2 * (dot.u ?? 0);
  const bar = margin > 0 ? svg('line', { class: 'margin', x1: x, x2: x, y1: frame.y(dot.value - margin), y2: frame.y(dot.value + margin) }) : null;
  const shape = dot.outside ? svg('rect', { class: 'outside', x: x - 4, y: y - 4, width: 8, height: 8, transform: `rotate(45 ${x} ${y})` }) : svg('circle', { class: 'dot', cx: x, cy: y, r: 3 });
  return svg('g', { class: dot.faint ? 'faint' : '' }, svg('title', {}, words), bar, shape);
}

/** Days below, as many as there is room for. */
function days(dots: readonly Dot[], frame: Frame, width: number): SVGElement[] {
  const [first, last] = [dots[0], dots.at(-1)];
  if (!first || !last) return [];
  const format = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
  const label = (at: Date, anchor: string): SVGElement => svg('text', { x: frame.x(at), y: HEIGHT - 6, 'text-anchor': anchor }, `\u2068${format.format(at)}\u2069`);
  return first === last || width < 220 ? [label(last.at, 'end')] : [label(first.at, 'start'), label(last.at, 'end')];
}

function draw(dots: readonly Dot[], width: number, label: string): SVGElement {
  const frame = frameOf(dots, width);
  const ticks = ticksOf(frame.low, frame.high).flatMap((each) => {
    const y = frame.y(each);
    return [svg('line', { class: 'grid', x1: START, x2: width - END, y1: y, y2: y }), svg('text', { x: START - 6, y: y + 4, 'text-anchor': 'end' }, each.toLocaleString(locale, { maximumSignificantDigits: 3 }))];
  });
  return svg('svg', { class: 'small-chart', viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: 'img', 'aria-label': label, direction: 'ltr' },
    ...ticks, limit(dots, frame, 'low'), limit(dots, frame, 'high'), ...dots.map((each) => mark(each, frame)), ...days(dots, frame, width));
}

/** The chart, as wide as its place; `label` says in words what it shows. */
export function smallChart(dots: readonly Dot[], label: string): HTMLElement {
  const host = h('div', { class: 'small-chart-host' });
  if (dots.length === 0) return host;
  const size = new ResizeObserver(() => {
    if (host.clientWidth > 0) host.replaceChildren(draw(dots, host.clientWidth, label));
  });
  size.observe(host);
  return host;
}
