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

interface Props {
  panel: Panel;
  context: Context;
  marks: Mark[];
  width: number;
  height: number;
  onZoom: Zoom;
}

const SINGLE = ['stat', 'gauge', 'bargauge'];
const DRAWN = [...SINGLE, 'timeseries', 'table'];

export function PanelView({ panel, context, marks, width, height, onZoom }: Props) {
  const [answer, setAnswer] = useState<{ of?: Context; frames?: DataFrame[]; error?: string }>({});
  const columns = useRef(width);
  columns.current = width;
  const isElsewhere = [panel, ...targetsOf(panel)].some((p) => p.datasource?.type && p.datasource.type !== 'prometheus');
  const asks = DRAWN.includes(panel.type) && !isElsewhere;
  useEffect(() => {
    const abort = new AbortController();
    const keep = (result: typeof answer) => abort.signal.aborted || setAnswer({ ...result, of: context });
    if (asks) {
      ask(panel, context, columns.current, abort.signal).then((frames) => keep({ frames }), (e: Error) => keep({ error: e.message }));
    }
    return () => abort.abort();
  }, [panel, context, asks]);
  const replace: InterpolateFunction = (text = '', scoped, how) =>
    interpolate(text, context.scope, context.builtIns, typeof how === 'string' ? how : undefined, scoped);
  // The variables of the answer, not the newest: the old picture stays as it was until the new answer is there.
  const frames = useMemo(() => answer.frames && dress(panel, answer.frames, context.theme, replace), [panel, answer]);
  const other = panel.type === 'text' ? 'ok' : 'undrawn';
  const got = answer.error ? 'error' : !frames ? 'loading' : hasValues(frames) ? 'ok' : 'empty';
  const state = asks ? got : other;
  const title = interpolate(panel.title ?? '', context.scope, context.builtIns, 'text');
  const links = panel.links?.map(({ title, url = '', targetBlank }) => (
    <a key={title + url} className="panel-link" href={replace(url, undefined, 'uriencode')} title={replace(title)} target={targetBlank ? '_blank' : undefined} rel="noreferrer">
      <Icon name="external-link-alt" size="sm" />
    </a>
  ));
  const body = (box: { width: number; height: number }) => {
    const { noValue } = panel.fieldConfig?.defaults ?? {};
    const note = (text: string, kind = '') => <div className={`panel-note ${kind}`} style={box}>{text}</div>;
    const { content = '', mode } = (panel.options ?? {}) as { content?: string; mode?: string };
    if (panel.type === 'text') {
      const __html = mode === 'code' ? '' : renderTextPanelMarkdown(replace(content));
      return __html ? <div className="markdown-html panel-text" style={box} dangerouslySetInnerHTML={{ __html }} /> : <pre style={box}>{content}</pre>;
    }
    if (!asks) {
      return <Undrawn panel={panel} box={box} replace={replace} />;
    }
    if (answer.error || !frames) {
      return note(answer.error ?? '', 'panel-error');
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
    <div data-panel-id={panel.id} data-panel-type={panel.type} data-panel-title={title} data-state={state} data-frames={frames?.length ?? 0}>
      <PanelChrome
        width={width}
        height={height}
        title={title}
        description={panel.description && renderTextPanelMarkdown(replace(panel.description))}
        titleItems={links}
        loadingState={asks && answer.of !== context ? LoadingState.Loading : LoadingState.Done}
        displayMode={panel.transparent ? 'transparent' : 'default'}
        statusMessage={answer.error}
      >
        {(width, height) => body({ width, height })}
      </PanelChrome>
    </div>
  );
}

function Undrawn({ panel, box, replace }: { panel: Panel; box: { width: number; height: number }; replace: InterpolateFunction }) {
  return (
    <div className="panel-text" style={box}>
      <p>The preview does not draw this panel ({panel.type}); Grafana does. It asks:</p>
      {targetsOf(panel).map((target) => <pre key={target.refId}>{replace(target.expr ?? target.query ?? JSON.stringify(target))}</pre>)}
    </div>
  );
}
