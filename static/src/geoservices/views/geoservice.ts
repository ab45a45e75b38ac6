/** The dashboard of a geoservice. */
import { ApiError } from '../../api';
import { h } from '../../dom';
import { formatDay } from '../../format';
import { lessMotion } from '../../motion';
import { addSheet } from '../../sheets';
import { pathOf, read } from '../api';
import { Bulletins } from '../bulletins/list';
import css from '../dashboard/dashboard.css';
import { Choices } from '../dashboard/choices';
import { fetchAlerts, fetchMaps, fetchSeries, fetchSite, fetchSites, type Alert, type Fetched, type Site } from '../dashboard/fetching';
import { Figure } from '../dashboard/figure';
import { Group } from '../dashboard/group';
import { alertList, mapsLink } from '../dashboard/lists';
import { SiteMap } from '../dashboard/map';
import { unusualFirst } from '../dashboard/multiples';
import { extentOf, scenesToShow } from '../dashboard/observation';
import { endingAt, formatPeriod, isLength, parsePeriod, type Period } from '../dashboard/period';
import { t } from '../dashboard/words';
import { parseGeoservice, type Geoservice, type Indicator } from '../model';
import { linkTo } from '../route';
import { has, type Context, type Show } from '../views';
import { loadOwnWords, t as say } from '../say';

addSheet(css);

/** What is shown where the link does not say. */
const USUAL = '2';
/** Pictures under the map at most. */
const PICTURES = 4;

function header(service: Geoservice, indicator: Indicator): HTMLElement {
  const decides = service.role === 'owner' || service.role === 'moderator';
  const state = service.state === 'active' ? null : h('p', { class: 'note' }, t(`note-${service.state}`));
  return h('header', { class: 'head' },
    h('h1', {}, h('bdi', {}, service.title)),
    h('p', { class: 'service-facts' },
      h('span', { class: 'tag', 'data-state': service.state }, say(`state-${service.state}`)),
      h('span', { class: 'tag' }, say(service.isPublic ? 'public' : 'private')),
      service.role ? h('span', { class: 'tag' }, say(`role-${service.role}`)) : null,
      h('span', { class: 'sub' }, t('since', { day: formatDay(new Date(service.start)), collections: service.collections.join(', ') })),
      decides && has('queue') ? h('a', { href: linkTo('queue', service.slug) }, say('to-queue')) : null,
      service.role === 'owner' || service.role === 'editor' ? h('a', { href: linkTo('edit', service.slug) }, say('to-edit')) : null),
    state,
    h('p', { class: 'hint' }, t(`nominal-${indicator.nominal.kind}`)));
}

class Dashboard {
  readonly #context: Context;
  readonly #service: Geoservice;
  readonly #indicator: Indicator;
  readonly #figure = new Figure();
  readonly #map = new SiteMap((site) => this.#choose(site));
  readonly #group: Group;
  readonly #choices: Choices;
  readonly #side = h('div', { class: 'side' });
  #sites: Site[] = [];
  #alerts: Alert[] = [];
  #site = 0;
  #newest = new Date();
  #period: Period = { from: null, to: null };
  #work = new AbortController();

  constructor(context: Context, service: Geoservice, indicator: Indicator) {
    this.#context = context;
    this.#service = service;
    this.#indicator = indicator;
    this.#group = new Group(indicator.unit, (site, day) => this.#choose(site, day));
    this.#choices = new Choices(service.indicators, indicator.id, {
      indicator: (id) => {
        context.keep({ indicator: id, day: null });
        void context.renew().catch(context.complain);
      },
      period: (value) => this.#setPeriod(value),
      site: (site) => this.#choose(site),
    });
  }

  async fill(host: HTMLElement): Promise<void> {
    const { slug } = this.#service;
    const { signal } = this.#context;
    const later = Promise.all([Bulletins.open(this.#service, this.#context), fetchMaps(slug, signal)]);
    later.catch(() => undefined); // told below, once the sites are there
    [this.#sites, this.#alerts] = await Promise.all([fetchSites(slug, this.#indicator.id, signal), fetchAlerts(slug, signal)]);
    host.append(header(this.#service, this.#indicator));
    if (this.#sites.length === 0) return void host.append(h('p', { class: 'state' }, t('no-sites')));
    const [, newest] = extentOf(this.#sites.flatMap(({ date }) => (date ? [date.getTime()] : [])));
    if (Number.isFinite(newest)) this.#newest = new Date(newest);
    const wanted = Number(this.#context.route.settings.get('site'));
    this.#site = (this.#sites.find(({ id }) => id === wanted) ?? unusualFirst(this.#sites)[0])?.id ?? 0;
    this.#choices.sites(this.#sites, this.#site);
    const many = this.#sites.length > 1;
    host.append(this.#choices.element, h('div', { class: 'board' }, h('div', { class: 'wide' }, this.#figure.element, many ? this.#group.element : null), this.#side));
    this.#side.append(this.#map.element, this.#listAlerts());
    this.#readPeriod();
    void this.#load(true).catch((error: unknown) => this.#complain(error));
    void later.then(([bulletins, maps]) => this.#add(bulletins, maps), (error: unknown) => this.#complain(error));
  }

  #add(bulletins: Bulletins | null, maps: string | null): void {
    if (bulletins?.wanted) this.#choices.element.before(bulletins.element); // what the link is about comes first
    else if (bulletins) this.#side.append(bulletins.element);
    if (maps) this.#side.append(mapsLink(maps));
  }

  close(): void {
    this.#work.abort();
    this.#figure.close();
    this.#group.close();
  }

  #complain(error: unknown): void {
    if (!this.#context.signal.aborted && !(error instanceof DOMException && error.name === 'AbortError')) this.#context.complain(error);
  }

  #listAlerts(): HTMLElement {
    const title = (id: string): string => this.#service.indicators.find((each) => each.id === id)?.title ?? id;
    return alertList(this.#alerts, this.#sites, title, (alert) => this.#showAlert(alert));
  }

  /** The chart of an alert's site, in its indicator and at its last date. */
  #showAlert({ site, indicator, until }: Alert): void {
    const day = until.toISOString().slice(0, 10);
    if (indicator === this.#indicator.id) return this.#choose(site, day);
    this.#context.keep({ indicator, site: String(site), day });
    void this.#context.renew().catch(this.#context.complain);
  }

  #readPeriod(): void {
    const value = this.#context.route.settings.get('period');
    this.#period = parsePeriod(value, this.#newest) ?? endingAt(this.#newest, USUAL);
    this.#choices.period(isLength(value) ? value : value ? formatPeriod(this.#period) : USUAL, this.#period);
  }

  #setPeriod(value: string): void {
    const period = parsePeriod(value, this.#newest);
    if (!period) return;
    this.#period = period;
    this.#context.keep({ period: value });
    this.#choices.period(value, period);
    void this.#load().catch((error: unknown) => this.#complain(error));
  }

  /** Requests what the period shows; a later call makes an earlier one stop. `first`: at the day of the link. */
  async #load(first = false): Promise<void> {
    this.#work.abort();
    this.#work = new AbortController();
    const { signal } = this.#work;
    const { slug } = this.#service;
    const many = this.#sites.length > 1;
    const none: Fetched = { series: [], cut: false };
    const day = first ? (this.#context.route.settings.get('day') ?? null) : null;
    const [own, found] = await Promise.all([this.#chart(day, signal), many ? fetchSeries(slug, this.#indicator.id, this.#period, signal) : none]);
    const series = many ? found.series : own ? [own] : [];
    if (many) this.#group.show(this.#sites, found);
    this.#map.show(this.#sites, scenesToShow(series, PICTURES), this.#indicator.unit);
    this.#mark();
  }

  async #chart(day: string | null, signal: AbortSignal): Promise<Awaited<ReturnType<typeof fetchSite>>> {
    const series = await fetchSite(this.#service.slug, this.#indicator.id, this.#site, signal);
    const alerts = this.#alerts.filter(({ site, indicator }) => site === this.#site && indicator === this.#indicator.id);
    if (series) await this.#figure.show({ slug: this.#service.slug, indicator: this.#indicator, series, period: this.#period, alerts }, day);
    return series;
  }

  #choose(site: number, day: string | null = null): void {
    this.#site = site;
    this.#context.keep({ site: String(site), day });
    this.#choices.sites(this.#sites, site);
    this.#mark();
    this.#figure.element.scrollIntoView({ block: 'nearest', behavior: lessMotion() ? 'auto' : 'smooth' });
    void this.#chart(day, this.#work.signal).catch((error: unknown) => this.#complain(error));
  }

  #mark(): void {
    this.#group.mark(this.#site);
    this.#map.mark(this.#site);
  }
}

export const show: Show = async (host, context) => {
  const { slug, settings } = context.route;
  const [{ body }] = await Promise.all([read(pathOf(slug), {}, context.signal), loadOwnWords('dashboard')]);
  const service = parseGeoservice(body);
  const indicator = service?.indicators.find(({ id }) => id === settings.get('indicator')) ?? service?.indicators[0];
  if (!service || !indicator) throw new ApiError(t('not-readable'), null);
  context.entitle(service.title);
  const dashboard = new Dashboard(context, service, indicator);
  await dashboard.fill(host);
  return () => dashboard.close();
};
