/** A button that gets a file: at once, or by a job whose progress it shows and that it can stop. */
import { ApiError } from '../../api';
import { h } from '../../dom';
import { formatBytes } from '../../format';
import { words } from '../../words/words';
import { save, saveBlob, sentence } from '../common';
import { jobStatus, resultAddress, startJob, stopJob, type Job, type Order, type Scene } from './extracts';

type Key = keyof typeof import('../../words/download/en.json');
const t = words<Key>('download');

/** A file at an address, one that a job has to make, or one that the page makes. */
export type Offer = { address: string } | { scene: Scene; order: Order } | { make: () => Promise<{ blob: Blob; name: string }> };

const LOOK_AGAIN = 1000;
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Download {
  readonly element: HTMLElement;
  readonly #button = h('button', { type: 'button', class: 'main', disabled: true, click: () => void this.#start() }, t('download'));
  readonly #bar = h('progress', { max: 100, 'aria-label': t('progress') });
  readonly #words = h('span', { class: 'hint' });
  readonly #stop = h('button', { type: 'button', click: () => void this.#cancel() }, t('stop'));
  readonly #row: HTMLElement;
  readonly #say: (text: string) => void;
  #offer: Offer | null = null;
  #job: Job | null = null;
  /** Counts downloads, so that one that was stopped knows that it is no longer the one to show. */
  #run = 0;

  constructor(say: (text: string) => void) {
    this.#say = say;
    this.#row = h('div', { class: 'job', hidden: true }, this.#bar, this.#words, this.#stop);
    this.element = h('div', { class: 'download' }, this.#button, this.#row);
  }

  offer(offer: Offer): void {
    this.#offer = offer;
    this.#button.disabled = this.#job !== null;
  }

  withdraw(): void {
    this.#offer = null;
    this.#button.disabled = true;
  }

  async #start(): Promise<void> {
    const offer = this.#offer;
    if (!offer) return;
    if ('address' in offer) return save(offer.address);
    this.#button.disabled = true;
    const run = ++this.#run;
    try {
      if ('make' in offer) {
        const { blob, name } = await offer.make();
        saveBlob(blob, name);
        this.#say(t('done', { size: formatBytes(blob.size) }));
        return this.#rest();
      }
      this.#show(await startJob(offer.scene, offer.order));
      await this.#follow(run);
    } catch (error) {
      if (run === this.#run) this.#say(sentence(error));
    }
    if (run === this.#run) this.#rest();
  }

  async #follow(run: number): Promise<void> {
    for (let job = this.#job; job; job = this.#job) {
      if (job.status === 'successful') {
        this.#say(t('done', { size: formatBytes(job.bytes ?? 0) }));
        return save(resultAddress(job));
      }
      if (job.status === 'failed') throw new ApiError(t('failed', { message: job.message }), null);
      await pause(LOOK_AGAIN);
      if (run !== this.#run) return;
      const latest = await jobStatus(job);
      if (run !== this.#run) return;
      this.#show(latest);
    }
  }

  #rest(): void {
    this.#job = null;
    this.#row.hidden = true;
    this.#button.disabled = this.#offer === null;
  }

  #show(job: Job): void {
    this.#job = job;
    this.#row.hidden = false;
    this.#bar.value = job.progress;
    this.#words.textContent = t('progress-value', { count: job.progress, message: job.message });
  }

  async #cancel(): Promise<void> {
    const job = this.#job;
    if (!job) return;
    this.#run += 1;
    this.#rest();
    await stopJob(job).then(() => this.#say(t('stopped')), (error: unknown) => this.#say(sentence(error)));
    this.#button.focus();
  }
}
