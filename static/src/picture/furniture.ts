/** A picture that speaks for itself: beneath it a strip with title, date, scale bar, legend and credit. */
import type { Legend, StyleClass } from '../api';

export interface Caption {
  /** What and when: the first line. */
  title: string;
  credit: string;
  legend: Legend | null;
  classes: readonly StyleClass[];
  /** Of the ground, across one pixel of the picture in its middle. */
  metresPerPixel: number;
  /** In which the words are written. */
  direction: 'ltr' | 'rtl';
}

export type Canvas = HTMLCanvasElement | OffscreenCanvas;
type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

const INK = '#12211c';
const PAPER = '#ffffff';
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
/** Lengths of the strip are shares of this, which grows with the picture, so that small ones stay readable. */
const unitOf = (width: number): number => Math.max(12, Math.round(width / 48));
/** Lines of the strip: title, then scale and legend, then credit. */
const LINES = 4.6;

export const stripHeight = (width: number): number => Math.round(unitOf(width) * LINES);

/** The longest of 1, 2, 5 × 10ⁿ metres that takes at most a share of the width. */
export function scaleBar(metresPerPixel: number, most: number): { metres: number; pixels: number } {
  const limit = Math.max(metresPerPixel * most, Number.MIN_VALUE);
  const power = 10 ** Math.floor(Math.log10(limit));
  const metres = [5, 2, 1].map((digit) => digit * power).find((length) => length <= limit) ?? power;
  return { metres, pixels: metres / metresPerPixel };
}

export const lengthText = (metres: number): string => (metres >= 1000 ? `${metres / 1000} km` : `${metres} m`);

function drawScale(context: Context, x: number, y: number, unit: number, { metresPerPixel }: Caption, width: number): void {
  const { metres, pixels } = scaleBar(metresPerPixel, width / 4);
  context.lineWidth = Math.max(1.5, unit / 8);
  context.strokeStyle = INK;
  context.beginPath();
  context.moveTo(x, y - unit * 0.4);
  context.lineTo(x, y);
  context.lineTo(x + pixels, y);
  context.lineTo(x + pixels, y - unit * 0.4);
  context.stroke();
  context.fillText(lengthText(metres), x + pixels + unit * 0.4, y);
}

/** Colours with their range, or classes with their names, ending at the right. */
function drawLegend(context: Context, right: number, y: number, unit: number, { legend, classes }: Caption): void {
  const write = (text: string, end: number): number => {
    context.fillText(text, end - context.measureText(text).width, y);
    return end - context.measureText(text).width;
  };
  if (legend) {
    const length = unit * 8;
    const end = write(String(legend.maximum), right) - unit * 0.4;
    const ramp = context.createLinearGradient(end - length, 0, end, 0);
    legend.colors.forEach((colour, index) => ramp.addColorStop(index / (legend.colors.length - 1), colour));
    context.fillStyle = ramp;
    context.fillRect(end - length, y - unit * 0.75, length, unit * 0.8);
    context.fillStyle = INK;
    write(String(legend.minimum), end - length - unit * 0.4);
    return;
  }
  let end = right;
  for (const { title, color } of [...classes].reverse()) {
    const start = write(title, end) - unit * 0.95;
    context.fillStyle = color;
    context.fillRect(start, y - unit * 0.7, unit * 0.7, unit * 0.7);
    context.fillStyle = INK;
    end = start - unit * 0.8;
  }
}

/** Draws a picture and the strip on a canvas, whose height has room for both. */
export function drawCaptioned(canvas: Canvas, picture: CanvasImageSource, caption: Caption): void {
  const context = canvas.getContext('2d') as Context | null;
  if (!context) throw new Error('This browser gives no canvas to draw on.');
  const { width } = canvas;
  const { direction } = caption;
  const height = canvas.height - stripHeight(width);
  const unit = unitOf(width);
  context.fillStyle = PAPER;
  context.fillRect(0, 0, width, canvas.height);
  context.drawImage(picture, 0, 0, width, height);
  context.fillStyle = INK;
  context.textBaseline = 'alphabetic';
  context.direction = direction;
  context.textAlign = direction === 'rtl' ? 'right' : 'left';
  const margin = unit * 0.7;
  const start = direction === 'rtl' ? width - margin : margin;
  const room = width - 2 * margin;
  context.font = `600 ${unit}px ${FONT}`;
  context.fillText(caption.title, start, height + unit * 1.3, room);
  context.font = `${unit * 0.8}px ${FONT}`;
  context.fillText(caption.credit, start, height + unit * 4.1, room);
  context.direction = 'ltr';
  context.textAlign = 'left';
  drawScale(context, margin, height + unit * 2.75, unit, caption, width);
  drawLegend(context, width - margin, height + unit * 2.75, unit, caption);
}
