# Recording rules and alerts for Alibaba Managed Prometheus V2.
terraform {
  required_providers {
    alicloud = {
      source  = "aliyun/alicloud"
      version = ">= 1.285.0"
    }
  }
}

variable "prometheus_id" {
  description = "The instance that has the metrics, rw-...; what is recorded goes there too."
  type        = string
}

variable "workspace" {
  description = "The CloudMonitor workspace, default-cms-UID-REGION."
  type        = string
}

variable "contact_groups" {
  description = "Who is told when an alert fires."
  type        = list(string)
}

locals {
  groups = yamldecode(file("${path.module}/../../../rules/alerts.yaml"))["groups"]
  alerts = { for rule in flatten([for group in local.groups : group["rules"]]) : rule["alert"] => rule }
}

resource "alicloud_cms_agg_task_group" "pd_exporter" {
  source_prometheus_id  = var.prometheus_id
  target_prometheus_id  = var.prometheus_id
  agg_task_group_name   = "pd-exporter"
  agg_task_group_config = file("${path.module}/recording.yaml")
}

resource "alicloud_cms_alert_rule_v2" "pd_exporter" {
  for_each = local.alerts

  workspace    = var.workspace
  display_name = each.key
  enabled      = true
  annotations  = each.value["annotations"]
  labels       = each.value["labels"]

  datasource_config {
    type        = "PROMETHEUS"
    instance_id = var.prometheus_id
  }
  query_config {
    type = "PROMETHEUS_SINGLE_QUERY"
    expr = each.value["expr"]
  }
  condition_config {
    type          = "PROMETHEUS_SIMPLE_CONDITION"
    severity      = upper(each.value["labels"]["severity"])
    duration_secs = 60 * tonumber(trimsuffix(try(each.value["for"], "1m"), "m"))
  }
  schedule_config {
    type          = "FIXED"
    interval_secs = 60
  }
  notify_config {
    type = "DIRECT_NOTIFY"
    channels {
      type        = "GROUP"
      identifiers = var.contact_groups
    }
  }
}
