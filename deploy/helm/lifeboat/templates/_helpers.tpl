{{- /* The beginning of all names. Cut, because a name with its ending may have 63 characters. */ -}}
{{- define "lifeboat.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What selectors ask for; it may not change. Takes the context and a component. */ -}}
{{- define "lifeboat.selector" -}}
{{- $context := index . 0 -}}
app.kubernetes.io/name: {{ $context.Chart.Name }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "lifeboat.labels" -}}
{{- $context := index . 0 -}}
{{ include "lifeboat.selector" . }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The image of a component, api or worker. */ -}}
{{- define "lifeboat.image" -}}
{{- $context := index . 0 -}}
{{- $image := $context.Values.image -}}
{{- $digest := index $image (printf "%sDigest" (index . 1)) -}}
{{- $tag := $image.tag | default $context.Chart.AppVersion -}}
{{- $name := printf "%s-%s" $image.prefix (index . 1) -}}
{{- if $digest -}}
{{ printf "%s@%s" $name $digest }}
{{- else -}}
{{ printf "%s:%s" $name (required "expected the release of Lifeboat to run, found none; set image.tag, or image.apiDigest and image.workerDigest" $tag) }}
{{- end -}}
{{- end -}}

{{- define "lifeboat.serviceAccount" -}}
{{- $context := index . 0 -}}
{{- $account := (index $context.Values (index . 1)).serviceAccount -}}
{{- if $account.create -}}
{{ printf "%s-%s" (include "lifeboat.fullname" $context) (index . 1) }}
{{- else -}}
{{ $account.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "lifeboat.redisUrl" -}}
{{- if .Values.redis.enabled -}}
redis://{{ include "lifeboat.fullname" . }}-redis:6379/0
{{- else -}}
{{ .Values.redis.url | default "none" }}
{{- end -}}
{{- end -}}

{{- /* The Secret with Redis's password; empty if there is none. */ -}}
{{- define "lifeboat.redisSecret" -}}
{{- if .Values.redis.existingSecret -}}
{{ .Values.redis.existingSecret }}
{{- else if .Values.redis.enabled -}}
{{ include "lifeboat.fullname" . }}-redis
{{- end -}}
{{- end -}}

{{- define "lifeboat.modelsClaim" -}}
{{ .Values.models.volume.existingClaim | default (printf "%s-models" (include "lifeboat.fullname" .)) }}
{{- end -}}

{{- /* What the user 10001 of both images may do: nothing that the strictest standard forbids. */ -}}
{{- define "lifeboat.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
# Volumes belong to the group, and so can be written to and read.
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "lifeboat.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
