// What a dashboard's JSON may be. The shapes are those of @grafana/schema; where it says "any record" (a panel's options,
// its own field configuration), the panel's own types stand in its place, so that a field that no panel knows is an error.
import type * as schema from 'schema-12';
import type * as bargauge from 'schema-12/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as stat from 'schema-12/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from 'schema-12/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as history from 'schema-12/dist/esm/raw/composable/statushistory/panelcfg/x/StatusHistoryPanelCfg_types.gen';
import type * as table from 'schema-12/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from 'schema-12/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has the values of an enumeration, not its members.
type Json<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Name in keyof T]: Json<T[Name]> }
      : T;

// The package has no types of these two data sources' queries, beyond what every query has.
interface PrometheusQuery extends schema.DataQuery {
  datasource: { type: 'prometheus'; uid: string };
  expr: string;
  legendFormat?: string;
  format?: 'time_series' | 'table' | 'heatmap';
  editorMode: 'code';
  instant?: boolean;
  range?: boolean;
}

interface PostgresQuery extends schema.DataQuery {
  datasource: { type: 'grafana-postgresql-datasource'; uid: string };
  rawSql: string;
  rawQuery: true;
  format: 'time_series' | 'table';
  editorMode: 'code';
}

type PanelOf<Type extends string, Options, Own = Record<never, never>> = Omit<
  schema.Panel,
  'type' | 'id' | 'title' | 'description' | 'gridPos' | 'options' | 'fieldConfig' | 'targets'
> & {
  type: Type;
  id: number;
  title: string;
  description: string;
  gridPos: schema.GridPos;
  options: Options;
  fieldConfig: Omit<schema.FieldConfigSource, 'defaults'> & {
    defaults: Omit<schema.FieldConfig, 'custom'> & { custom?: Own };
  };
  targets: Array<PrometheusQuery | PostgresQuery>;
};

type Panel =
  | PanelOf<'bargauge', bargauge.Options>
  | PanelOf<'stat', stat.Options>
  | PanelOf<'state-timeline', timeline.Options, timeline.FieldConfig>
  | PanelOf<'status-history', history.Options, history.FieldConfig>
  | PanelOf<'table', table.Options, table.FieldConfig>
  | PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | schema.RowPanel;

export type Dashboard = Json<
  Omit<schema.Dashboard, 'panels' | 'uid' | 'title'> & { panels: Panel[]; uid: string; title: string }
>;
