/** One panel: its frame, its state, and the visualization that its type asks for. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { LoadingState, renderTextPanelMarkdown, type DataFrame, type InterpolateFunction } from '@grafana/data';
import type { Panel, TableOptions } from '@grafana/schema';
import { Icon, PanelChrome } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import type { Mark } from './annotations';
import { ask, dress, hasValues, rangeOf, targetsOf, type Context } from './frames';
import { SingleStatPanel } from './SingleStatPanels';
import { TimeSeriesPanel, type TimeSeriesOptions } from './TimeSeriesPanel';
import { interpolate } from './variables';

interface Props {
  panel: Panel;
  context: Context;
  marks: Mark[];
  width: number;
  height: number;
  onZoom: (range: { from: number; to: number }) => void;
}

const DRAWN = new Set(['timeseries', 'stat', 'gauge', 'bargauge', 'table', 'text']);

/** What the tests read from `data-state`. `undrawn` is a panel of another type or another data source. */
type State = 'loading' | 'empty' | 'error' | 'ok' | 'undrawn';

function isDrawn(panel: Panel): boolean {
  const other = [panel, ...targetsOf(panel)].some((p) => p.datasource?.type && p.datasource.type !== 'prometheus');
  return DRAWN.has(panel.type) && (panel.type === 'text' || !other);
}

export function PanelView({ panel, context, marks, width, height, onZoom }: Props) {
  const [answer, setAnswer] = useState<{ frames?: DataFrame[]; error?: string }>({});
  const [busy, setBusy] = useState(true);
  const size = useRef(width);
  size.current = width;
  const asks = isDrawn(panel) && panel.type !== 'text';
  useEffect(() => {
    if (!asks) {
      return;
    }
    const abort = new AbortController();
    setBusy(true);
    ask(panel, context, size.current, abort.signal).then(
      (frames) => {
        setAnswer({ frames });
        setBusy(false);
      },
      (error: Error) => {
        if (!abort.signal.aborted) {
          setAnswer({ error: error.message });
          setBusy(false);
        }
      }
    );
    return () => abort.abort();
  }, [panel, context, asks]);

  const replace: InterpolateFunction = (text, scoped, format) =>
    interpolate(text ?? '', context.scope, context.builtIns, typeof format === 'string' ? format : undefined, scoped);
  const frames = useMemo(() => answer.frames && dress(panel, answer.frames, context.theme, replace), [panel, answer.frames, context]);
  const state: State = !isDrawn(panel)
    ? 'undrawn'
    : !asks
      ? 'ok'
      : answer.error
        ? 'error'
        : !frames
          ? 'loading'
          : hasValues(frames)
            ? 'ok'
            : 'empty';
  const title = interpolate(panel.title ?? '', context.scope, context.builtIns, 'text');
  const links = (panel.links ?? []).map((link, i) => (
    <a key={i} className="panel-link" href={replace(link.url ?? '', undefined, 'uriencode')} title={replace(link.title)} target={link.targetBlank ? '_blank' : undefined} rel="noreferrer">
      <Icon name="external-link-alt" size="sm" />
    </a>
  ));
  return (
    <div data-panel-id={panel.id} data-panel-type={panel.type} data-panel-title={title} data-state={state} data-frames={frames?.length ?? 0} data-marks={marks.length}>
      <PanelChrome
        width={width}
        height={height}
        title={title}
        description={panel.description && renderTextPanelMarkdown(replace(panel.description))}
        titleItems={links.length ? links : undefined}
        loadingState={busy && asks ? LoadingState.Loading : LoadingState.Done}
        displayMode={panel.transparent ? 'transparent' : 'default'}
        statusMessage={answer.error}
        hoverHeader={!title}
      >
        {(innerWidth, innerHeight) => {
          const box = { width: innerWidth, height: innerHeight };
          if (state === 'undrawn') {
            return <Undrawn panel={panel} box={box} replace={replace} />;
          }
          if (panel.type === 'text') {
            const { content, mode } = (panel.options ?? {}) as { content?: string; mode?: string };
            const html = renderTextPanelMarkdown(replace(content ?? ''));
            return mode === 'code' ? <pre style={box}>{replace(content ?? '')}</pre> : <div className="markdown-html panel-text" style={box} dangerouslySetInnerHTML={{ __html: html }} />;
          }
          if (answer.error) {
            return <div className="panel-note panel-error" style={box}>{answer.error}</div>;
          }
          if (!frames) {
            return null;
          }
          const single = panel.type === 'stat' || panel.type === 'gauge' || panel.type === 'bargauge';
          if (state === 'empty' && !(single && panel.fieldConfig?.defaults.noValue)) {
            return <div className="panel-note" style={box}>{panel.fieldConfig?.defaults.noValue ?? 'No data'}</div>;
          }
          if (single) {
            return <SingleStatPanel panel={panel} frames={frames} theme={context.theme} replace={replace} {...box} />;
          }
          if (panel.type === 'table') {
            const options = (panel.options ?? {}) as Partial<TableOptions>;
            return (
              <TableNG
                {...box}
                data={frames[options.frameIndex ?? 0] ?? frames[0]!}
                noHeader={options.showHeader === false}
                sortBy={options.sortBy}
                cellHeight={options.cellHeight}
                noValue={panel.fieldConfig?.defaults.noValue}
                timeRange={context.range}
                resizable
              />
            );
          }
          return <TimeSeriesPanel {...box} frames={frames} options={(panel.options ?? {}) as TimeSeriesOptions} range={rangeOf(panel, context.range)} marks={marks} onZoom={onZoom} />;
        }}
      </PanelChrome>
    </div>
  );
}

function Undrawn({ panel, box, replace }: { panel: Panel; box: { width: number; height: number }; replace: InterpolateFunction }) {
  return (
    <div className="panel-undrawn" style={box}>
      <p>The preview does not draw this panel ({panel.type}); Grafana does. It asks:</p>
      {targetsOf(panel).map((target, i) => (
        <pre key={i}>{replace(target.expr ?? target.query ?? JSON.stringify(target))}</pre>
      ))}
    </div>
  );
}
