"""What a report says of a confirmation, by language. The verdict's English is the terminal's (`console/confirmed.py`)."""

from __future__ import annotations

from collections.abc import Mapping

from ...console.confirmed import TEXTS as VERDICT

ENGLISH = {
    **VERDICT,
    "heading": "Confirmed on further seeds",
    "column_trial": "Trial",
    "column_mean": "Mean",
    "column_interval": "95 % interval",
    "column_parameters": "Parameters",
    "column_seeds": "At each seed",
    "column_difference": "Difference",
    "column_points": "Points",
    "column_p": "p",
    "row": "{number}",
    "row_start": "{number} (start row)",
    "unfinished": "The confirmation is not finished: {finished} of {total} trainings.",
    "interval": "{low} to {high}",
}

KOREAN = {
    "trial": "시도 {number}",
    "trials": "시도 {numbers}",
    "start_row": "시작 구성(시도 {number})",
    "and": "{first}, {last}",
    "points": "{gap} ± {half}%p",
    "better": "{worse}보다 나은 것: {better}, 차이 {points}",
    "tied": "서로 차이가 있다고 할 수 없는 것: {all}",
    "tied_by": "서로 차이가 있다고 할 수 없는 것: {all} (차이 {points})",
    "tied_with": "{best}와(과) 차이가 있다고 할 수 없는 것: {others}",
    "smaller": "{trial}의 매개변수 수: {best}의 {share} %",
    "alone": "{best}와(과) 비교할 것이 없다",
    "left_out": "비교에서 뺀 것: {trial}, 학습 {seeds}번 중 {times}번 {outcome}",
    "diverged": "발산",
    "out_of_memory": "메모리 부족",
    "other": "끝나지 않음",
    "nobody": "모든 시드에서 끝까지 학습한 구성이 없다",
    "between": "; ",
    "sentence": "{text}.",
    "method": "새로운 시드 {seeds}개의 평균이다. 시드마다 검증 데이터(이미지의 {share})를 새로 나누고, 모든 구성이 그것을 함께 쓴다. "
    "95 % 구간은 수정 재표본 t 검정(Nadeau, Bengio)으로 구했다. 차이는 시드별로 짝지은 값이며, 그 구간은 한꺼번에 성립한다"
    "(Tukey 범위 검정, {pairs}쌍).",
    "method_pair": "새로운 시드 {seeds}개의 평균이다. 시드마다 검증 데이터(이미지의 {share})를 새로 나누고, 두 구성이 그것을 함께 쓴다. "
    "95 % 구간은 수정 재표본 t 검정(Nadeau, Bengio)으로 구했고, 차이는 시드별로 짝지은 값이다.",
    "method_alone": "새로운 시드 {seeds}개의 평균이다. 시드마다 검증 데이터(이미지의 {share})를 새로 나눈다. "
    "95 % 구간은 수정 재표본 t 검정(Nadeau, Bengio)으로 구했다.",
    "heading": "새로운 시드로 확인한 결과",
    "column_trial": "시도",
    "column_mean": "평균",
    "column_interval": "95 % 신뢰 구간",
    "column_parameters": "매개변수",
    "column_seeds": "시드별 정확도",
    "column_difference": "차이",
    "column_points": "%p",
    "column_p": "p",
    "row": "{number}",
    "row_start": "{number} (시작 구성)",
    "unfinished": "확인이 아직 끝나지 않았다: 학습 {total}번 중 {finished}번.",
    "interval": "{low} ~ {high}",
}

CONFIRMATION: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ko": KOREAN}
