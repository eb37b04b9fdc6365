/** The timeseries panel: lines, thresholds, legend, tooltip with data links, zoom by dragging, annotation marks. */
import { useMemo } from 'react';
import { DashboardCursorSync, EventBusSrv, type DataFrame, type LinkModel, type TimeRange } from '@grafana/data';
import { LegendDisplayMode, SortOrder, TooltipDisplayMode, type VizLegendOptions, type VizTooltipOptions } from '@grafana/schema';
import {
  getFieldDisplayItems, getFieldDisplayLinks, PanelContextProvider, TimeSeries, TooltipPlugin2, VizTooltipContent,
  VizTooltipFooter, VizTooltipHeader, VizTooltipWrapper, type UPlotConfigBuilder,
} from '@grafana/ui';
import { AnnotationMarks, type Mark } from './annotations';

export type Zoom = (range: { from: number; to: number }) => void;

type Options = { legend?: Partial<VizLegendOptions>; tooltip?: Partial<VizTooltipOptions> };
type Props = { frames: DataFrame[]; options: Options; range: TimeRange; marks: Mark[]; width: number; height: number; onZoom: Zoom };

const sync = () => DashboardCursorSync.Crosshair;
const context = { eventsScope: 'preview', eventBus: new EventBusSrv(), sync };
const usualLegend: VizLegendOptions = { showLegend: true, displayMode: LegendDisplayMode.List, placement: 'bottom', calcs: [] };

export function TimeSeriesPanel({ frames, options, range, marks, onZoom, ...size }: Props) {
  const { mode = TooltipDisplayMode.Single, sort = SortOrder.None } = options.tooltip ?? {};
  const legend = useMemo(() => ({ ...usualLegend, ...options.legend }), [options.legend]);
  const tooltip = ({ fields }: DataFrame, rows: Array<number | null>, series: number | null, isPinned: boolean, links: LinkModel[]) => {
    const row = rows[series ?? 0] ?? rows[0] ?? 0;
    const time = fields[0]!;
    return (
      <VizTooltipWrapper>
        <VizTooltipHeader item={{ label: '', value: time.display?.(time.values[row]).text ?? '' }} isPinned={isPinned} />
        <VizTooltipContent items={getFieldDisplayItems(fields, time, rows, series, mode, sort)} isPinned={isPinned} />
        {isPinned && links.length > 0 && <VizTooltipFooter dataLinks={links as LinkModel<never>[]} />}
      </VizTooltipWrapper>
    );
  };
  const inside = (config: UPlotConfigBuilder, aligned: DataFrame) => (
    <>
      <AnnotationMarks config={config} marks={marks} />
      <TooltipPlugin2
        config={config}
        hoverMode={mode === TooltipDisplayMode.Single ? 0 : 1 /* one series, or all at that moment */}
        queryZoom={onZoom}
        syncMode={sync()}
        syncScope={context.eventsScope}
        getDataLinks={(series, row) => (aligned.fields[series] ? getFieldDisplayLinks(aligned.fields[series], row) : [])}
        render={(_u, rows, series, pinned, _dismiss, _range, _sync, links) => tooltip(aligned, rows, series, pinned, links)}
      />
    </>
  );
  return (
    <PanelContextProvider value={context}>
      <TimeSeries {...size} frames={frames} timeRange={range} timeZone="browser" legend={legend}>{inside}</TimeSeries>
    </PanelContextProvider>
  );
}
