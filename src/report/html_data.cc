#include "report/html_data.h"

#include <cmath>

#include "report/text.h"

namespace stillframe {
namespace {

template <class T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
Json OrNull(const std::optional<Duration>& value) {
  return value ? Json(value->count()) : Json(nullptr);
}
template <class Unit>
Json OrNull(const std::optional<Quantity<Unit>>& value) {
  return value ? Json(value->count) : Json(nullptr);
}

// Three digits are more than a screen shows.
double Share(double value) { return std::round(value * 1000) / 1000; }

Json MethodToJson(const HtmlMethod& method) {
  return {{"name", method.name},
          {"note", method.note},
          {"pause", OrNull(method.pause)},
          {"worst_gap", OrNull(method.worst_gap)},
          {"p50", OrNull(method.p50)},
          {"p99", OrNull(method.p99)},
          {"p999", OrNull(method.p999)},
          {"max", OrNull(method.max)},
          {"over_5ms", OrNull(method.over_5ms)},
          {"throughput_kept", OrNull(method.throughput_kept)},
          {"lost", OrNull(method.lost)},
          {"total", OrNull(method.total)},
          {"extra_memory", OrNull(method.extra_memory)}};
}

Json CurveToJson(const HtmlCurve& curve) {
  Json points = Json::array();
  for (const HtmlQuantile& point : curve.points) {
    points.push_back(Json::array({point.quantile, point.latency.count()}));
  }
  return {{"name", curve.name}, {"points", std::move(points)}};
}

// "cells": column, row, count of each cell that is not empty, one after another.
Json HeatMapToJson(const HtmlHeatMap& map) {
  Json cells = Json::array();
  Json longest = Json::array();
  for (size_t column = 0; column < map.counts.size(); ++column) {
    longest.push_back(map.longest[column].count());
    for (size_t row = 0; row < HtmlHeatMap::kRows; ++row) {
      if (map.counts[column][row] == 0) continue;
      cells.push_back(column);
      cells.push_back(row);
      cells.push_back(map.counts[column][row]);
    }
  }
  return {{"begin", map.begin.count()},
          {"column", map.column.count()},
          {"columns", map.counts.size()},
          {"lowest", HtmlHeatMap::kLowest.count()},
          {"rows_per_decade", HtmlHeatMap::kRowsPerDecade},
          {"rows", HtmlHeatMap::kRows},
          {"cells", std::move(cells)},
          {"longest", std::move(longest)}};
}

Json TimelineToJson(const HtmlTimeline& timeline) {
  Json pushing = Json::array();
  Json holding_back = Json::array();
  Json no_room = Json::array();
  Json stage = Json::array();
  Json sent = Json::array();
  for (const HtmlTimeline::Bin& bin : timeline.bins) {
    pushing.push_back(Share(bin.pushing));
    holding_back.push_back(Share(bin.holding_back));
    no_room.push_back(Share(bin.no_room));
    stage.push_back(bin.stage_known ? Json(bin.stage.count) : Json(nullptr));
    sent.push_back(bin.sent.count);
  }
  return {{"begin", timeline.begin.count()},
          {"bin", timeline.bin.count()},
          {"stage_size", timeline.stage_size.count},
          {"max_bandwidth", timeline.max_bandwidth.count},
          {"pushing", std::move(pushing)},
          {"holding_back", std::move(holding_back)},
          {"no_room", std::move(no_room)},
          {"stage", std::move(stage)},
          {"sent", std::move(sent)}};
}

// "cells": how many cells are alike, and their pages by kind, one after another.
Json CellsToJson(const std::vector<HtmlMemoryMap::Cell>& cells) {
  Json list = Json::array();
  for (size_t i = 0; i < cells.size();) {
    size_t next = i + 1;
    while (next < cells.size() && cells[next] == cells[i]) ++next;
    list.push_back(next - i);
    for (const uint64_t pages : cells[i]) list.push_back(pages);
    i = next;
  }
  return list;
}

Json MemoryMapToJson(const HtmlMemoryMap& map) {
  Json mappings = Json::array();
  for (const HtmlMemoryMap::Mapping& mapping : map.mappings) {
    Json entry = RangeToJson(mapping.range);
    entry["name"] = Printable(mapping.name);
    entry["permissions"] = mapping.permissions;
    entry["merged"] = mapping.merged;
    entry["cells"] = CellsToJson(mapping.cells);
    mappings.push_back(std::move(entry));
  }
  Json json = {{"page_bytes", kPageSize.count},
               {"cell_pages", map.cell_pages.count},
               {"unknown", map.unknown.count},
               {"mappings", std::move(mappings)}};
  if (map.kinds.empty()) return json;
  for (const HtmlMemoryMap::KindName& kind : map.kinds) {
    json["kinds"].push_back(kind.name);
    json["meanings"].push_back(kind.meaning);
  }
  json["unremarkable"] = map.unremarkable;
  return json;
}

Json PanelToJson(const HtmlPanel& panel) {
  Json marks = Json::array();
  for (const HtmlMark& mark : panel.marks) {
    marks.push_back({{"at", mark.at.count()}, {"label", mark.label}});
  }
  Json json = {{"name", panel.name},
               {"note", panel.note},
               {"latency_title", panel.latency_title},
               {"begin", panel.begin.count()},
               {"end", panel.end.count()},
               {"pause", panel.pause.count()},
               {"marks", std::move(marks)}};
  json["latency"] = panel.latency.empty() ? Json(nullptr) : HeatMapToJson(panel.latency);
  json["timeline"] = panel.timeline.empty() ? Json(nullptr) : TimelineToJson(panel.timeline);
  json["memory"] = panel.memory.empty() ? Json(nullptr) : MemoryMapToJson(panel.memory);
  return json;
}

}  // namespace

Json HtmlReportToJson(const HtmlReport& report) {
  Json facts = Json::array();
  for (const HtmlFact& fact : report.facts) {
    facts.push_back({{"label", fact.label}, {"value", Printable(fact.value)}});
  }
  Json json = {{"title", report.title}, {"lead", report.lead}, {"facts", std::move(facts)}};
  json["methods_note"] = report.methods_note;
  json["curves_title"] = report.curves_title;
  json["methods"] = Json::array();
  for (const HtmlMethod& method : report.methods) json["methods"].push_back(MethodToJson(method));
  json["curves"] = Json::array();
  for (const HtmlCurve& curve : report.curves) json["curves"].push_back(CurveToJson(curve));
  json["panels"] = Json::array();
  for (const HtmlPanel& panel : report.panels) json["panels"].push_back(PanelToJson(panel));
  json["notes"] = report.notes;
  return json;
}

}  // namespace stillframe
