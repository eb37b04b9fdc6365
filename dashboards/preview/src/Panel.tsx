/** One panel: its frame, its state, and the visualization that its type asks for. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { LoadingState, renderTextPanelMarkdown, type DataFrame, type InterpolateFunction } from '@grafana/data';
import type { Panel, TableOptions } from '@grafana/schema';
import { Icon, PanelChrome } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import type { Mark } from './annotations';
import { ask, dress, hasValues, targetsOf, type Context } from './frames';
import { SingleStatPanel } from './SingleStatPanel';
import { TimeSeriesPanel, type Zoom } from './TimeSeriesPanel';
import { interpolate } from './variables';

type Props = { panel: Panel; context: Context; marks: Mark[]; width: number; height: number; onZoom: Zoom };
type Answer = { of?: Context; frames?: DataFrame[]; error?: string };

const SINGLE = ['stat', 'gauge', 'bargauge'];
const DRAWN = [...SINGLE, 'timeseries', 'table'];

export function PanelView({ panel, context, marks, width, height, onZoom }: Props) {
  const [answer, setAnswer] = useState<Answer>({});
  const columns = useRef(width);
  columns.current = width;
  const isElsewhere = [panel, ...targetsOf(panel)].some((p) => p.datasource?.type && p.datasource.type !== 'prometheus');
  const asks = DRAWN.includes(panel.type) && !isElsewhere;
  useEffect(() => {
    const abort = new AbortController();
    const keep = (result: Answer) => abort.signal.aborted || setAnswer({ ...result, of: context });
    if (asks) {
      ask(panel, context, columns.current, abort.signal).then((frames) => keep({ frames }), (e: Error) => keep({ error: e.message }));
    }
    return () => abort.abort();
  }, [panel, context, asks]);
  const replace: InterpolateFunction = (text = '', scoped, how) =>
    interpolate(text, context.scope, context.builtIns, typeof how === 'string' ? how : undefined, scoped);
  const frames = useMemo(() => answer.frames && dress(panel, answer.frames, context.theme, replace), [panel, answer]);
  const got = answer.error ? 'error' : !frames ? 'loading' : hasValues(frames) ? 'ok' : 'empty';
  const state = asks ? got : panel.type === 'text' ? 'ok' : 'undrawn';
  const title = interpolate(panel.title ?? '', context.scope, context.builtIns, 'text');
  const links = panel.links?.map(({ title, url = '', targetBlank }) => {
    const shared = { className: 'panel-link', href: replace(url, undefined, 'uriencode'), title: replace(title), rel: 'noreferrer' };
    return <a key={title + url} {...shared} target={targetBlank ? '_blank' : undefined}><Icon name="external-link-alt" size="sm" /></a>;
  });
  const body = (box: { width: number; height: number }) => {
    const { noValue } = panel.fieldConfig?.defaults ?? {};
    const note = (text = '', kind = '') => <div className={`panel-note ${kind}`} style={box}>{text}</div>;
    if (panel.type === 'text') {
      const __html = renderTextPanelMarkdown(replace(String(panel.options?.content ?? '')));
      return <div className="markdown-html panel-text" style={box} dangerouslySetInnerHTML={{ __html }} />;
    }
    if (!asks) {
      const queries = targetsOf(panel).map((t) => <pre key={t.refId}>{replace(t.expr ?? t.query ?? JSON.stringify(t))}</pre>);
      return <div className="panel-text" style={box}>The preview does not draw this panel ({panel.type}); Grafana does. It asks: {queries}</div>;
    }
    if (answer.error || !frames) {
      return note(answer.error, 'panel-error');
    }
    if (SINGLE.includes(panel.type) && (state === 'ok' || noValue)) {
      return <SingleStatPanel {...box} panel={panel} frames={frames} theme={context.theme} replace={replace} />;
    }
    if (state === 'empty') {
      return note(noValue ?? 'No data');
    }
    if (panel.type === 'table') {
      const { showHeader, sortBy, cellHeight } = (panel.options ?? {}) as Partial<TableOptions>;
      return <TableNG {...box} data={frames[0]!} sortBy={sortBy} cellHeight={cellHeight} noHeader={showHeader === false} noValue={noValue} />;
    }
    return <TimeSeriesPanel {...box} frames={frames} options={panel.options ?? {}} range={context.range} marks={marks} onZoom={onZoom} />;
  };
  return (
    <div data-panel-id={panel.id} data-panel-type={panel.type} data-panel-title={title} data-state={state}>
      <PanelChrome
        width={width}
        height={height}
        title={title}
        description={panel.description && renderTextPanelMarkdown(replace(panel.description))}
        titleItems={links}
        padding={panel.type === 'stat' ? 'none' : 'md'}
        loadingState={asks && answer.of !== context ? LoadingState.Loading : LoadingState.Done}
        displayMode={panel.transparent ? 'transparent' : 'default'}
        statusMessage={answer.error}
      >
        {(width, height) => body({ width, height })}
      </PanelChrome>
    </div>
  );
}
