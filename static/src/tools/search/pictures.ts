/** Loads pictures one after the other, as they come into sight: the server makes few parts of scenes at a time. */

const SOURCE = 'source';

export class Pictures {
  readonly #waiting = new Set<HTMLImageElement>();
  readonly #sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#waiting.add(target as HTMLImageElement);
      else this.#waiting.delete(target as HTMLImageElement);
    }
    void this.#work();
  });
  #working = false;

  /** Pictures in place of those of before, with their addresses in `data-source`. */
  show(images: Iterable<HTMLImageElement>): void {
    this.#waiting.clear();
    this.#sight.disconnect();
    for (const image of images) this.#sight.observe(image);
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (let [image] = this.#waiting; image; [image] = this.#waiting) {
      this.#waiting.delete(image);
      this.#sight.unobserve(image);
      await this.#load(image);
    }
    this.#working = false;
  }

  /** A picture that fails leaves its place empty: the words beside it say what it would show. */
  #load(image: HTMLImageElement): Promise<void> {
    return new Promise((resolve) => {
      image.addEventListener('load', () => resolve(), { once: true });
      image.addEventListener('error', () => resolve(), { once: true });
      image.src = image.dataset[SOURCE] ?? '';
    });
  }
}
