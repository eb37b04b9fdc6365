/** The timeseries panel: lines, thresholds, legend, tooltip with data links, zoom by dragging, annotation marks. */
import { useMemo, useState } from 'react';
import { DashboardCursorSync, EventBusSrv, FieldType, getFieldDisplayName, type DataFrame, type LinkModel, type TimeRange } from '@grafana/data';
import { LegendDisplayMode, SortOrder, TooltipDisplayMode } from '@grafana/schema';
import {
  getFieldDisplayItems,
  getFieldDisplayLinks,
  PanelContextProvider,
  TimeSeries,
  TooltipPlugin2,
  VizTooltipContent,
  VizTooltipFooter,
  VizTooltipHeader,
  VizTooltipWrapper,
  type UPlotConfigBuilder,
} from '@grafana/ui';
import { AnnotationMarks, type Mark } from './annotations';

/** Of TooltipHoverMode, which is a const enum that @grafana/ui does not give away: one series, or all at that moment. */
const HOVER_ONE = 0;
const HOVER_ALL = 1;
const eventBus = new EventBusSrv();

export interface TimeSeriesOptions {
  legend?: { showLegend?: boolean; displayMode?: LegendDisplayMode; placement?: 'bottom' | 'right'; calcs?: string[]; width?: number };
  tooltip?: { mode?: TooltipDisplayMode; sort?: SortOrder };
}

interface Props {
  frames: DataFrame[];
  options: TimeSeriesOptions;
  range: TimeRange;
  marks: Mark[];
  width: number;
  height: number;
  onZoom: (range: { from: number; to: number }) => void;
}

export function TimeSeriesPanel({ frames, options, range, marks, width, height, onZoom }: Props) {
  const [only, setOnly] = useState<string>();
  const shown = useMemo(() => frames.map((frame) => hideOthers(frame, frames, only)), [frames, only]);
  const mode = options.tooltip?.mode ?? TooltipDisplayMode.Single;
  const context = useMemo(
    () => ({
      eventsScope: 'preview',
      eventBus,
      sync: () => DashboardCursorSync.Crosshair,
      onToggleSeriesVisibility: (label: string | string[] | null) => setOnly((was) => (typeof label === 'string' && label !== was ? label : undefined)),
    }),
    []
  );
  const inside = (config: UPlotConfigBuilder, aligned: DataFrame) => (
    <>
      <AnnotationMarks config={config} marks={marks} />
      {mode !== TooltipDisplayMode.None && (
        <TooltipPlugin2
          config={config}
          hoverMode={mode === TooltipDisplayMode.Single ? HOVER_ONE : HOVER_ALL}
          queryZoom={onZoom}
          syncMode={DashboardCursorSync.Crosshair}
          syncScope="preview"
          getDataLinks={(series, row) => (aligned.fields[series] ? getFieldDisplayLinks(aligned.fields[series]!, row) : [])}
          render={(_u, rows, series, pinned, _dismiss, _range, _sync, links) => tooltip(aligned, rows, series, mode, options, pinned, links)}
        />
      )}
    </>
  );
  const legend = {
    showLegend: options.legend?.showLegend ?? true,
    displayMode: options.legend?.displayMode ?? LegendDisplayMode.List,
    placement: options.legend?.placement ?? 'bottom',
    calcs: options.legend?.calcs ?? [],
    width: options.legend?.width,
  };
  const plain = useMemo(() => legend, [JSON.stringify(legend)]);
  return (
    <PanelContextProvider value={context}>
      <TimeSeries frames={shown} width={width} height={height} timeRange={range} timeZone="browser" legend={plain}>
        {inside}
      </TimeSeries>
    </PanelContextProvider>
  );
}

/** A click on a legend's entry shows that series alone, a second one all of them again. */
function hideOthers(frame: DataFrame, frames: DataFrame[], only: string | undefined): DataFrame {
  if (only === undefined) {
    return frame;
  }
  const fields = frame.fields.map((field) => {
    const hide = field.type !== FieldType.time && getFieldDisplayName(field, frame, frames) !== only;
    return hide ? { ...field, config: { ...field.config, custom: { ...field.config.custom, hideFrom: { viz: true } } } } : field;
  });
  return { ...frame, fields };
}

function tooltip(
  aligned: DataFrame,
  rows: Array<number | null>,
  series: number | null,
  mode: TooltipDisplayMode,
  options: TimeSeriesOptions,
  pinned: boolean,
  links: LinkModel[]
) {
  const [time] = aligned.fields;
  const row = rows[series ?? 0] ?? rows.find((r) => r !== null);
  if (!time || row === null || row === undefined) {
    return null;
  }
  const items = getFieldDisplayItems(aligned.fields, time, rows, series, mode, options.tooltip?.sort ?? SortOrder.None);
  return (
    <VizTooltipWrapper>
      <VizTooltipHeader item={{ label: '', value: time.display?.(time.values[row]).text ?? '' }} isPinned={pinned} />
      <VizTooltipContent items={items} isPinned={pinned} />
      {pinned && links.length > 0 && <VizTooltipFooter dataLinks={links as LinkModel<never>[]} />}
    </VizTooltipWrapper>
  );
}
