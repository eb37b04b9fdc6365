/** One dashboard: its controls, and its rows and panels on Grafana's grid of 24 columns. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { rangeUtil, type TimeRange } from '@grafana/data';
import type { Dashboard, Panel, RowPanel } from '@grafana/schema';
import { Alert, Icon, useTheme2 } from '@grafana/ui';
import { readAnnotations, type Mark } from './annotations';
import { Notice } from './App';
import { intervals, type Context } from './frames';
import { PanelView } from './Panel';
import { DashboardLinks, TimeControls, VariableControl, type Change, type Listed } from './Toolbar';
import { interpolate, readVariables, type BuiltIns } from './variables';

/** Grafana's grid, in pixels. */
const [COLUMNS, CELL, GAP] = [24, 30, 8];

interface Section {
  row?: RowPanel;
  panels: Panel[];
}

/** Panels after an open row belong to it, a collapsed row carries its own. */
function sectionsOf(dashboard: Dashboard): Section[] {
  const sections: Section[] = [{ panels: [] }];
  for (const panel of dashboard.panels ?? []) {
    if (panel.type === 'row') {
      const row = panel as RowPanel;
      sections.push({ row, panels: [...(row.panels ?? [])] });
    } else {
      sections.at(-1)!.panels.push(panel as Panel);
    }
  }
  return sections;
}

async function load(dashboard: Dashboard, url: URLSearchParams, usual: Record<string, string>) {
  const at = (name: 'from' | 'to', otherwise: string) => {
    const asked = url.get(name) ?? dashboard.time?.[name] ?? otherwise;
    return /^\d+$/.test(asked) ? new Date(Number(asked)).toISOString() : asked;
  };
  const range: TimeRange = rangeUtil.convertRawToRange({ from: at('from', 'now-1h'), to: at('to', 'now') });
  const [from, to] = [range.from.valueOf(), range.to.valueOf()].map(String) as [string, string];
  const raw = (bound: unknown, moment: string) => (typeof bound === 'string' ? bound : moment);
  const time = `from=${raw(range.raw.from, from)}&to=${raw(range.raw.to, to)}`;
  const builtIns: BuiltIns = { __from: from, __to: to, __url_time_range: time, __dashboard: dashboard.title ?? '' };
  const scope = await readVariables(dashboard, url, usual, { ...builtIns, ...intervals(range, 1000).macros }, range);
  builtIns.__all_variables = Object.keys(scope).map((name) => interpolate(`\${${name}:queryparam}`, scope, {})).join('&');
  return { range, scope, builtIns };
}

export function DashboardPage({ dashboard, all, usual }: { dashboard: Dashboard; all: Listed[]; usual: Record<string, string> }) {
  const theme = useTheme2();
  const [search, setSearch] = useState(location.search);
  const [tick, setTick] = useState(0);
  const [loaded, setLoaded] = useState<{ context: Context; marks: Mark[] }>();
  const [error, setError] = useState<string>();
  const [folded, setFolded] = useState<Record<number, boolean>>({});
  const [width, setWidth] = useState(0);
  const grid = useRef<HTMLDivElement>(null);
  const url = useMemo(() => new URLSearchParams(search), [search]);
  const refresh = url.get('refresh') ?? (dashboard.refresh || '');
  const sections = useMemo(() => sectionsOf(dashboard), [dashboard]);
  const reload = useCallback(() => setTick((n) => n + 1), []);

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(grid.current!);
    addEventListener('popstate', () => setSearch(location.search));
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const timer = refresh ? setInterval(reload, rangeUtil.intervalToMs(refresh)) : undefined;
    return () => clearInterval(timer);
  }, [refresh, reload]);
  useEffect(() => {
    let isCurrent = true;
    const show = async () => {
      const context = { ...(await load(dashboard, url, usual)), theme };
      const marks = await readAnnotations(dashboard, context);
      if (isCurrent) {
        setLoaded({ context, marks });
        setError(undefined);
      }
    };
    show().catch((e: Error) => isCurrent && setError(e.message));
    return () => void (isCurrent = false);
  }, [dashboard, url, usual, tick, theme]);

  const change: Change = useCallback((params) => {
    const next = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(params)) {
      next.delete(name);
      [value].flat().forEach((v) => next.append(name, v));
    }
    history.pushState(null, '', `?${next}`);
    setSearch(`?${next}`);
  }, []);
  const onZoom = useCallback(({ from, to }: { from: number; to: number }) => change({ from: from.toFixed(), to: to.toFixed() }), [change]);

  const span = (cells: number, cell: number) => Math.floor(cells * cell + (cells - 1) * GAP);
  const place = ({ x = 0, y = 0, w = 12, h = 8 }: Partial<Panel['gridPos'] & object> = {}, top: number) => ({
    size: { width: span(w, (width - (COLUMNS - 1) * GAP) / COLUMNS), height: span(h, CELL) },
    style: { gridColumn: `${x + 1} / span ${w}`, gridRow: `${y - top + 1} / span ${h}` },
  });
  const draw = ({ context, marks }: NonNullable<typeof loaded>, { row, panels }: Section, i: number) => {
    const isClosed = row ? (folded[i] ?? row.collapsed) : false;
    const top = Math.min(...panels.map((p) => p.gridPos?.y ?? 0));
    const places = isClosed ? [] : panels.map((panel) => ({ panel, ...place(panel.gridPos, top) }));
    return (
      <section key={i}>
        {row && (
          <button className="row-title" data-collapsed={isClosed} onClick={() => setFolded({ ...folded, [i]: !isClosed })}>
            <Icon name={isClosed ? 'angle-right' : 'angle-down'} /> {interpolate(row.title ?? '', context.scope, {}, 'text')}
            {isClosed && <small>({panels.length} panels)</small>}
          </button>
        )}
        <div className="grid">
          {places.map(({ panel, style, size }) => (
            <div key={panel.id} style={style}><PanelView {...size} panel={panel} context={context} marks={marks} onZoom={onZoom} /></div>
          ))}
        </div>
      </section>
    );
  };
  const variables = Object.values(loaded?.context.scope ?? {}).filter(({ model }) => (model.hide ?? 0) < 2 && model.type !== 'constant');
  return (
    <main>
      <header>
        <a className="home" href="/" aria-label="All dashboards"><Icon name="apps" /></a>
        <h1>{dashboard.title}</h1>
        <span className="grow" />
        {loaded && <TimeControls range={loaded.context.range} refresh={refresh} change={change} reload={reload} />}
      </header>
      <Notice />
      <nav>
        {variables.map((variable) => <VariableControl key={variable.model.name} variable={variable} change={change} />)}
        <span className="grow" />
        {loaded && <DashboardLinks dashboard={dashboard} all={all} context={loaded.context} />}
      </nav>
      {error && <Alert title="The variables or annotations can't be read">{error}</Alert>}
      <div ref={grid} data-dashboard={dashboard.uid}>{loaded && width > 0 && sections.map((section, i) => draw(loaded, section, i))}</div>
    </main>
  );
}
