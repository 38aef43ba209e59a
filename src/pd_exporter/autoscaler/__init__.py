"""The autoscaler in a box: HPA and KEDA's arithmetic, control laws, a simulator and a tuner."""
