# Alerts for Alibaba Managed Prometheus V1. Recording rules have no resource: docs/alibaba.md says how
# recording.yaml gets there.
terraform {
  required_providers {
    alicloud = {
      source  = "aliyun/alicloud"
      version = ">= 1.136.0"
    }
  }
}

variable "cluster_id" {
  description = "The ACK cluster whose Prometheus instance has the metrics."
  type        = string
}

locals {
  groups = yamldecode(file("${path.module}/../../../rules/alerts.yaml"))["groups"]
  alerts = { for rule in flatten([for group in local.groups : group["rules"]]) : rule["alert"] => rule }
}

resource "alicloud_arms_prometheus_alert_rule" "pd_exporter" {
  for_each = local.alerts

  cluster_id                 = var.cluster_id
  prometheus_alert_rule_name = each.key
  expression                 = each.value["expr"]
  # In minutes, and at least one.
  duration    = trimsuffix(try(each.value["for"], "1m"), "m")
  message     = "${each.value["annotations"]["summary"]}. ${each.value["annotations"]["description"]}"
  notify_type = "ALERT_MANAGER"

  labels {
    name  = "severity"
    value = each.value["labels"]["severity"]
  }
  annotations {
    name  = "runbook_url"
    value = each.value["annotations"]["runbook_url"]
  }
}
